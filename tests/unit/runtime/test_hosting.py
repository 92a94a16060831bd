"""What a hosted loop is called."""

from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from runtime import hosting, metrics
from runtime.errors import InvariantError
from runtime.hosting import _stage, group_id, serve
from runtime.management import ManagementServer
from runtime.service import StopSignal
from runtime.settings import FanOutSettings, KafkaSettings, Settings


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("membership", "membership"),
        ("sink-warehouse", "sink:warehouse"),
        ("sink-warehouse:changes", "sink:warehouse"),
        ("sink-sink-a", "sink:sink-a"),
    ],
)
def test_dead_letters_of_every_loop_of_a_sink_have_the_stage_of_the_sink(name: str, stage: str) -> None:
    assert _stage(name) == stage


def test_each_loop_is_a_group_of_its_own() -> None:
    assert group_id(KafkaSettings(topic_prefix="t."), "sink-a:changes") == "t.segwire-sink-a:changes"


class BrokenLoop:
    """Ends as a loop does that finds an invariant broken."""

    def not_ready(self) -> None:
        return None

    def run(self, _stop: StopSignal) -> None:
        raise InvariantError("I4", "a version fell")


def test_a_broken_invariant_is_seen_on_the_management_port_before_the_process_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    urls: list[str] = []
    seen: list[tuple[int, str]] = []

    class Management(ManagementServer):
        def start(self) -> None:
            urls.append(self.url)
            super().start()

    def look(_stop: StopSignal, timeout_s: float) -> None:
        assert timeout_s == metrics.SCRAPED_S
        with pytest.raises(HTTPError) as refusal:
            urlopen(f"{urls[0]}/readyz")
        seen.append((refusal.value.code, refusal.value.read().decode()))
        refusal.value.close()
        with urlopen(f"{urls[0]}/metrics") as answer:
            seen.append((answer.status, answer.read().decode()))

    monkeypatch.setattr(hosting, "ManagementServer", Management)
    monkeypatch.setattr(hosting, "settle_collector", lambda: None)
    monkeypatch.setattr(StopSignal, "install", lambda _stop: None)
    monkeypatch.setattr(StopSignal, "wait_for_signal", look)
    with pytest.raises(InvariantError, match="invariant I4 is broken: a version fell"):
        serve(Settings(), "broken", FanOutSettings(management_port=0), [cast("Any", BrokenLoop())], None)
    assert seen[0] == (503, '{"status": "not ready", "reason": "invariant I4 is broken: a version fell"}')
    assert 'segwire_processor_invariant_broken{invariant="I4",processor="broken"} 1.0' in seen[1][1]
