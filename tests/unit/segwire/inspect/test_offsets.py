"""Offsets of partitions that have no leader yet."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from runtime.errors import SegwireError
from segwire.inspect.offsets import LATEST, find_offsets


class Admin:
    """Answers with one error after the other, then with the offset 7."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.refreshed = 0

    def list_offsets(self, wanted: dict[TopicPartition, Any], **_: Any) -> dict[TopicPartition, Future[Any]]:
        answers = {}
        for at in wanted:
            future: Future[Any] = Future()
            if self.codes:
                future.set_exception(KafkaException(KafkaError(self.codes.pop(0))))
            else:
                future.set_result(SimpleNamespace(offset=7))
            answers[at] = future
        return answers

    def list_topics(self, **_: Any) -> None:
        self.refreshed += 1


class Ticking:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_ms(self) -> int:
        return 0

    def monotonic_s(self) -> float:
        self.seconds += 1
        return self.seconds


def ask(admin: Admin, limit_s: float = 10) -> dict[tuple[str, int], int]:
    return find_offsets(cast(AdminClient, admin), [("t", 0)], LATEST, Ticking(), limit_s)


def test_new_topic_is_asked_again_until_it_has_a_leader() -> None:
    admin = Admin(KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
    assert ask(admin) == {("t", 0): 7}
    assert admin.refreshed == 2


def test_leader_that_never_comes_is_told_of() -> None:
    with pytest.raises(SegwireError, match=r"topic t: .*check that its brokers are up"):
        ask(Admin(*[KafkaError.LEADER_NOT_AVAILABLE] * 9), limit_s=2)


def test_refusal_is_told_of_at_once() -> None:
    admin = Admin(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(SegwireError, match="this user may read it"):
        ask(admin)
