import threading
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime.errors import TornTransactionError
from runtime.state import restore
from runtime.state.changelog import Changelog, Extent
from runtime.state.restore import Restorer
from runtime.state.table import NO_TIMER, Census, Summary
from tests.support.kafka import wait_until
from tests.support.loop import Clock

LOG = Changelog("cluster", "state", 3, 1000)


class Entry(NamedTuple):
    """A changelog record of partition 0, whose value is the input offset that it is of."""

    at: int
    raw: bytes
    of: bytes = b"key"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.at

    def error(self) -> None:
        return None

    def key(self) -> bytes:
        return self.of

    def value(self) -> bytes:
        return self.raw


class States:
    """Reads the values of `Entry`."""

    rules = ""
    groups = None

    def summary(self, raw: bytes) -> Summary:
        return Summary(due_ms=NO_TIMER, active=0, offset=int(raw))


class Reader:
    """The restorer's own consumer: notes what it is assigned, and hands out `messages`."""

    def __init__(self) -> None:
        self.assigned: list[tuple[int, int]] = []
        self.known: list[str] = []
        self.messages: list[Entry] = []

    def list_topics(self, topic: str, timeout: float) -> None:  # noqa: ARG002
        self.known.append(topic)

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        # Of a topic that it does not know the client would wait for a second.
        assert {tp.topic for tp in partitions} <= set(self.known)
        self.assigned += [(tp.partition, tp.offset) for tp in partitions]

    def incremental_unassign(self, _partitions: list[TopicPartition]) -> None:
        return

    def consume(self, _limit: int, _timeout_s: float) -> list[Entry]:
        messages, self.messages = self.messages, []
        return messages

    def close(self) -> None:
        return


class Store:
    """An empty store, which forgets what it is told."""

    def checkpoint(self, _partition: int) -> None:
        return None

    def wipe(self, _partition: int) -> None:
        return

    def write(self, _writes: object) -> None:
        return

    def scan(self, _partition: int) -> list[tuple[bytes, bytes]]:
        return []


class Cluster:
    """Answers for the extent of a partition when the test lets it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.end = 0
        self.input_end = 100
        self.failures: list[Exception] = []
        self.committed: list[int] = []

    def committed_offsets(self, _consumer: object, _topic: str, partitions: list[int]) -> dict[int, int | None]:
        """Answer what is in `committed`, one after the other."""
        return dict.fromkeys(partitions, self.committed.pop(0) if self.committed else None)

    def extents(self, _admin: object, topic: str, partitions: list[int]) -> dict[int, Extent]:
        if topic == "in":
            return {partition: Extent(0, self.input_end) for partition in partitions}
        end = self.end
        self.asked.set()
        assert self.may_answer.wait(30)
        if self.failures:
            raise self.failures.pop(0)
        return {partition: Extent(0, end) for partition in partitions}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(restore, "extents", made.extents)
    monkeypatch.setattr(restore, "committed_offsets", made.committed_offsets)
    monkeypatch.setattr(restore, "_RETRY_S", 0.0)
    return made


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def restorer(cluster: Cluster, reader: Reader) -> Iterator[Restorer[Any]]:
    made: Restorer[Any] = Restorer(
        consumer=cast("Any", reader), admin=cast("Any", None), changelog=LOG, input_topic="in",
        store=cast("Any", Store()), codec=cast("Any", States()), clock=Clock(), processor="test",
    )  # fmt: skip
    made.start()
    yield made
    cluster.may_answer.set()
    made.close()


def all_restored(restorer: Restorer[Any]) -> dict[int, Census]:
    found: dict[int, Census] = {}

    def one() -> bool:
        found.update(restorer.restored())
        return bool(found)

    wait_until(one, "a partition is restored")
    return found


def test_a_partition_that_leaves_and_returns_while_its_end_is_asked_for_is_not_restored_up_to_the_old_end(
    cluster: Cluster, restorer: Restorer[Any]
) -> None:
    restorer.submit([1])
    assert cluster.asked.wait(30)
    left = threading.Thread(target=restorer.withdraw, args=([1],))
    left.start()
    left.join(0.2)
    assert left.is_alive(), "it returned while the old end was still being asked for"
    cluster.may_answer.set()
    left.join(30)
    cluster.end = 5  # by whoever had the partition in between
    restorer.submit([1])
    wait_until(lambda: restorer._remaining() == 5, "the new end is what is restored to")
    assert restorer.restored() == {}


@pytest.mark.parametrize(
    "failure", [KafkaException(KafkaError(KafkaError.NOT_COORDINATOR)), TimeoutError()], ids=["moving", "late"]
)
def test_brokers_that_answer_late_are_asked_again(
    cluster: Cluster, restorer: Restorer[Any], failure: Exception
) -> None:
    cluster.failures = [failure]
    cluster.may_answer.set()
    restorer.submit([0])
    assert all_restored(restorer).keys() == {0}
    assert not restorer.busy()


def test_what_asking_again_cannot_mend_ends_the_service(cluster: Cluster, restorer: Restorer[Any]) -> None:
    cluster.failures = [KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))]
    cluster.may_answer.set()
    restorer.submit([0])
    with pytest.raises(KafkaException, match="TOPIC_AUTHORIZATION_FAILED"):
        all_restored(restorer)


def test_who_was_away_while_another_process_had_the_partition_takes_its_commits_for_no_torn_transaction(
    cluster: Cluster, reader: Reader, restorer: Restorer[Any]
) -> None:
    cluster.committed = [5, 9]  # the second by whoever had it since
    cluster.end = 2
    reader.messages = [Entry(0, b"4"), Entry(1, b"8")]
    cluster.may_answer.set()
    restorer.submit([0])
    assert all_restored(restorer).keys() == {0}


def test_state_that_the_group_never_committed_ends_the_service(
    cluster: Cluster, reader: Reader, restorer: Restorer[Any]
) -> None:
    cluster.committed = [5, 5]
    cluster.end = 5
    users = {b"a": b"4", b"b": b"6", b"c": b"8", b"d": b"7", b"of-another-topic": b"100"}
    reader.messages = [Entry(at, raw, of) for at, (of, raw) in enumerate(users.items())]
    cluster.may_answer.set()
    restorer.submit([0])
    with pytest.raises(TornTransactionError, match="input offsets up to 8, but the group has committed only 5"):
        all_restored(restorer)


def test_state_of_an_input_that_was_made_anew_is_taken(
    cluster: Cluster, reader: Reader, restorer: Restorer[Any]
) -> None:
    cluster.committed = [5, 5]
    cluster.input_end = 8  # so that what the state names as 8 is of another topic
    cluster.end = 2
    reader.messages = [Entry(0, b"4"), Entry(1, b"8")]
    cluster.may_answer.set()
    restorer.submit([0])
    assert all_restored(restorer).keys() == {0}
