from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from runtime.kafka import asking
from runtime.kafka.asking import committed, list_offsets, passes

WHERE = [TopicPartition("in", 0)]


class Group:
    """Answers as the test says, one answer after the other."""

    def __init__(self, *answers: list[TopicPartition] | KafkaException) -> None:
        self.answers = list(answers)

    def committed(self, _partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout > 0
        answer = self.answers.pop(0)
        if isinstance(answer, KafkaException):
            raise answer
        return answer


class FailedPartition(TopicPartition):
    """What the client returns for a partition whose offset it could not get."""

    error = KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_PAUSE_S", 0.0)


def ask(group: Group, limit_s: float = 60.0) -> list[TopicPartition]:
    return committed(cast("Any", group), WHERE, limit_s)


def failure(code: int) -> KafkaException:
    return KafkaException(KafkaError(code))


@pytest.mark.parametrize(
    "code", [KafkaError.NOT_COORDINATOR, KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE, KafkaError._TRANSPORT]
)
def test_a_coordinator_that_moves_or_stands_still_is_asked_again(code: int) -> None:
    found = [TopicPartition("in", 0, 7)]
    assert ask(Group(failure(code), found)) is found


def test_a_partition_whose_offset_is_not_known_yet_is_asked_for_again() -> None:
    group = Group([FailedPartition("in", 0, -1001)], [TopicPartition("in", 0, 7)])
    assert [tp.offset for tp in ask(group)] == [7]


def test_an_answer_that_never_comes_is_an_error_in_the_end() -> None:
    with pytest.raises(KafkaException, match="NOT_COORDINATOR"):
        ask(Group(failure(KafkaError.NOT_COORDINATOR)), limit_s=0)


def test_an_error_that_stays_is_raised_at_once() -> None:
    with pytest.raises(KafkaException, match="GROUP_AUTHORIZATION_FAILED"):
        ask(Group(failure(KafkaError.GROUP_AUTHORIZATION_FAILED), [TopicPartition("in", 0, 7)]))


def test_a_leader_that_changes_passes_and_a_fatal_error_does_not() -> None:
    assert passes(KafkaError(KafkaError.FENCED_LEADER_EPOCH))
    assert not passes(KafkaError(KafkaError._TIMED_OUT, "over", fatal=True))
    assert not passes(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))


class StaleAdmin:
    """Goes on with the leader that it remembers until it is made to learn the present one, as the real client does."""

    def __init__(self) -> None:
        self.stale = True

    def list_offsets(self, wanted: dict[TopicPartition, Any], **_: object) -> dict[TopicPartition, Future[Any]]:
        answer: Future[Any] = Future()
        if self.stale:
            answer.set_exception(failure(KafkaError.FENCED_LEADER_EPOCH))
        else:
            answer.set_result(SimpleNamespace(offset=7))
        return dict.fromkeys(wanted, answer)

    def list_topics(self, **_: object) -> None:
        self.stale = False


def test_offsets_that_a_moved_leader_refused_are_told_when_asked_for_again() -> None:
    admin = cast("Any", StaleAdmin())
    wanted = {TopicPartition("in", 0): OffsetSpec.for_timestamp(5)}
    with pytest.raises(KafkaException, match="FENCED_LEADER_EPOCH"):
        list_offsets(admin, wanted, IsolationLevel.READ_COMMITTED, 1.0)
    assert list_offsets(admin, wanted, IsolationLevel.READ_COMMITTED, 1.0) == {("in", 0): 7}
