from typing import Any

import pytest

from runtime import metrics
from runtime.state.progress import Progress
from tests.support.loop import Clock


class Told(list[dict[str, Any]]):
    def info(self, _event: str, **fields: Any) -> None:
        self.append(fields)


def eta_s() -> float:
    return float(metrics.RESTORE_ETA_SECONDS.labels(processor="progress")._value.get())


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()
    monkeypatch.setattr("runtime.state.progress._log", told)
    return told


def test_a_restore_takes_yet_what_the_records_left_take_at_the_rate_so_far(told: Told) -> None:
    clock = Clock()
    progress = Progress(clock, "progress")
    progress.read(0, 1000, [1, 0])
    clock.at_s += 5
    progress.read(200, 800, [1, 0])
    assert told[1:] == [{"remaining_records": 800, "eta_s": 20.0, "partitions": [0, 1]}]
    assert eta_s() == 20
    clock.at_s += 1
    progress.read(100, 700, [1, 0])
    assert (len(told), eta_s()) == (2, 14)


def test_nothing_left_takes_no_time_and_the_next_restore_begins_anew(told: Told) -> None:
    clock = Clock()
    progress = Progress(clock, "progress")
    progress.read(0, 10, [0])
    clock.at_s += 1
    progress.read(10, 0, [0])
    progress.left(0)
    assert eta_s() == 0
    clock.at_s += 1000
    progress.read(0, 100, [0])
    clock.at_s += 5
    progress.read(50, 50, [0])
    assert told[-1]["eta_s"] == 5
