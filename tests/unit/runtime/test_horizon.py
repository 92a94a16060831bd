from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec

from runtime.horizon import GRACE_MS, Horizon
from tests.support.loop import Clock

POSTS, EVENTS = "aam-posts", "segment-events"


def _done(value: object) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


class FakeAdmin:
    """One partition of posts and two of events; `appended` are the times of the posts, epoch ms."""

    def __init__(self, appended: list[int], committed: int | None, ends: dict[int, int]) -> None:
        self.appended = appended
        self.committed = committed
        self.ends = ends

    def list_topics(self, topic: str, **_: object) -> Any:
        partitions = {0: None} if topic == POSTS else dict.fromkeys(self.ends)
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=partitions)})

    def list_offsets(self, asked: dict[TopicPartition, Any], **_: object) -> dict[TopicPartition, Future[Any]]:
        return {tp: _done(SimpleNamespace(offset=self._offset(tp, spec))) for tp, spec in asked.items()}

    def _offset(self, tp: TopicPartition, spec: Any) -> int:
        if isinstance(spec, type(OffsetSpec.for_timestamp(0))):
            return next((offset for offset, at in enumerate(self.appended) if at >= vars(spec)["timestamp"]), -1)
        if isinstance(spec, type(OffsetSpec.earliest())):  # type: ignore[no-untyped-call]
            return 0
        return len(self.appended) if tp.topic == POSTS else self.ends[tp.partition]


class FakeMember:
    def __init__(self, offset: int | None) -> None:
        self.offset = offset

    def committed(self, partitions: list[TopicPartition], **_: object) -> list[TopicPartition]:
        offset = -1001 if self.offset is None else self.offset
        return [TopicPartition(tp.topic, tp.partition, offset) for tp in partitions]


def _horizon(admin: FakeAdmin, now_s: float = 1000.0) -> Horizon:
    clock = Clock()
    clock.at_s = now_s
    asked: Any = admin
    member: Any = FakeMember(admin.committed)
    return Horizon(asked, member, EVENTS, POSTS, clock)


def _look(horizon: Horizon, at_ms: int) -> None:
    horizon._candidate = horizon._look(at_ms)


def test_a_time_is_reached_when_the_input_was_processed_to_the_end() -> None:
    horizon = _horizon(FakeAdmin([100, 200], committed=2, ends={0: 5, 1: 3}))
    _look(horizon, 900)
    assert horizon.reached_ms({0: 4, 1: 3}) == 0
    assert horizon.reached_ms({0: 5, 1: 3}) == 0  # other partitions: asked anew

    _look(horizon, 900)
    assert horizon.reached_ms({0: 4, 1: 3}) == 0
    assert horizon.reached_ms({0: 5, 1: 3}) == 900


def test_nothing_is_reached_while_a_post_of_before_waits_for_fan_out() -> None:
    horizon = _horizon(FakeAdmin([100, 200], committed=1, ends={0: 0}))
    _look(horizon, 900)
    assert horizon.reached_ms({0: 0}) == 0


def test_posts_of_later_may_wait() -> None:
    horizon = _horizon(FakeAdmin([100, 950], committed=1, ends={0: 0}))
    horizon.reached_ms({0: 0})
    _look(horizon, 900)
    assert horizon.reached_ms({0: 0}) == 900


def test_posts_that_nobody_has_ever_read_wait() -> None:
    horizon = _horizon(FakeAdmin([100], committed=None, ends={0: 0}))
    horizon.reached_ms({0: 0})
    _look(horizon, 900)
    assert horizon.reached_ms({0: 0}) == 0


def test_without_any_post_there_is_nothing_to_wait_for() -> None:
    horizon = _horizon(FakeAdmin([], committed=None, ends={0: 2}))
    horizon.reached_ms({0: 2})
    _look(horizon, 900)
    assert horizon.reached_ms({0: 2}) == 900


def test_a_new_partition_starts_anew_and_one_less_does_not() -> None:
    horizon = _horizon(FakeAdmin([], committed=None, ends={0: 2, 1: 2}))
    horizon.reached_ms({0: 2})
    _look(horizon, 900)
    assert horizon.reached_ms({0: 2}) == 900
    assert horizon.reached_ms({0: 2, 1: 0}) == 0
    _look(horizon, 950)
    assert horizon.reached_ms({0: 2, 1: 2}) == 950
    assert horizon.reached_ms({1: 2}) == 950


def test_a_time_a_little_in_the_past_is_asked_for() -> None:
    assert GRACE_MS >= 3000  # a sender waits that long for its 200: the record's time may be as much later
