from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from prometheus_client import REGISTRY

from runtime.lag import LagMeter
from tests.support.loop import Clock


class Ends:
    """A consumer that knows positions and ends by partition; -1001 is what the client says of the unknown."""

    def __init__(self, positions: dict[int, int], ends: dict[int, int]) -> None:
        self.positions = positions
        self.ends = ends

    def position(self, where: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(tp.topic, tp.partition, self.positions.get(tp.partition, -1001)) for tp in where]

    def get_watermark_offsets(self, where: TopicPartition, cached: bool) -> tuple[int, int]:
        assert cached
        if where.partition not in self.ends:
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))
        return 10, self.ends[where.partition]


def _lag(name: str, ends: Ends, next_offsets: dict[int, int], clock: Clock | None = None) -> tuple[float, float]:
    clock = clock or Clock()
    meter = LagMeter("in", clock, name)
    meter.processed(clock.now_ms() - 5000)
    meter.refresh(cast("Any", ends), range(3), next_offsets)
    return _value("records", name), _value("seconds", name)


def _value(what: str, name: str) -> float:
    return REGISTRY.get_sample_value(f"segwire_processor_lag_{what}", {"processor": name}) or 0.0


def test_lag_is_what_lies_between_positions_and_ends() -> None:
    assert _lag("behind", Ends({0: 90, 1: 50, 2: 100}, {0: 100, 1: 60, 2: 100}), {}) == (20, 5)


def test_a_processor_at_the_end_has_no_lag_whatever_the_age_of_the_last_record() -> None:
    assert _lag("at-end", Ends({0: 100, 1: 60, 2: 0}, {0: 100, 1: 60, 2: 10}), {}) == (0, 0)


def test_before_the_first_fetch_the_committed_offset_counts() -> None:
    assert _lag("unfetched", Ends({}, {0: 100, 1: 60, 2: 12}), {0: 90, 1: 60}) == (12, 5)


def test_what_is_not_known_is_no_lag() -> None:
    assert _lag("unknown", Ends({}, {0: -1001}), {}) == (0, 0)


def test_the_ends_are_asked_for_at_most_once_a_second() -> None:
    clock, ends = Clock(), Ends({0: 90}, {0: 100})
    meter = LagMeter("in", clock, "rare")
    meter.refresh(cast("Any", ends), [0], {})
    ends.positions[0] = 100
    meter.refresh(cast("Any", ends), [0], {})
    assert _value("records", "rare") == 10
    clock.at_s += 1
    meter.refresh(cast("Any", ends), [0], {})
    assert _value("records", "rare") == 0
