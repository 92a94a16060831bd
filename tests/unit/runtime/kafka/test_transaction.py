import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime.kafka.transaction import (
    FencedError,
    OutcomeUnknown,
    RecordsFailed,
    TransactionAborted,
    TransactionalProducer,
    TransactionDoomed,
)
from runtime.processor import OutputRecord

RECORD = OutputRecord("out", 2, b"key", b"value", [("name", b"value")])
OFFSETS = [TopicPartition("in", 0, 41)]


def error(code: int = KafkaError._TIMED_OUT, **kind: bool) -> KafkaException:
    """Return an error as librdkafka raises it: `retriable`, `txn_requires_abort` or `fatal`."""
    return KafkaException(KafkaError(code, "the reason", **kind))


class FakeProducer:
    """Notes each call; raises what is next in `raises` of the call's name."""

    def __init__(self) -> None:
        self.raises: dict[str, list[Exception]] = {}
        self.calls: list[str] = []
        self.produced: list[tuple[object, ...]] = []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        waiting = self.raises.get(name)
        if waiting:
            raise waiting.pop(0)

    def init_transactions(self, _timeout_s: float) -> None:
        self._call("init")

    def begin_transaction(self) -> None:
        self._call("begin")

    def produce(self, topic: str, value: object, key: object, partition: int, **more: object) -> None:
        self._call("produce")
        self.produced.append((topic, value, key, partition, more.get("headers")))

    def poll(self, _timeout_s: float) -> int:
        self._call("poll")
        return 0

    def send_offsets_to_transaction(self, offsets: object, group: object, _timeout_s: float) -> None:
        assert (offsets, group) == (OFFSETS, "group")
        self._call("offsets")

    def commit_transaction(self, _timeout_s: float) -> None:
        self._call("commit")

    def abort_transaction(self, _timeout_s: float) -> None:
        self._call("abort")

    def purge(self) -> None:
        self._call("purge")


class Made:
    """A transactional producer and every client that it made."""

    def __init__(self, timeout_s: float = 60.0) -> None:
        self.clients: list[FakeProducer] = []
        make = cast("Callable[[], Any]", self._make)
        self.producer = TransactionalProducer(make, "segwire-membership-0", timeout_s)

    def _make(self) -> FakeProducer:
        self.clients.append(FakeProducer())
        return self.clients[-1]

    @property
    def client(self) -> FakeProducer:
        return self.clients[-1]

    def commit(self) -> None:
        self.producer.commit(OFFSETS, "group")


def test_a_transaction_is_begun_filled_and_committed_with_its_offsets() -> None:
    made = Made()
    made.producer.begin()
    assert made.producer.open
    made.producer.produce(RECORD)
    made.commit()
    assert made.client.calls == ["init", "begin", "produce", "offsets", "commit"]
    assert made.client.produced == [("out", b"value", b"key", 2, [("name", b"value")])]
    assert not made.producer.open


@pytest.mark.parametrize("call", ["offsets", "commit"])
def test_a_call_that_may_be_resumed_is_resumed(call: str) -> None:
    made = Made()
    made.producer.begin()
    made.client.raises[call] = [error(retriable=True), error(retriable=True)]
    made.commit()
    assert made.client.calls.count(call) == 3


def test_offsets_that_block_beyond_their_timeout_leave_the_outcome_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.kafka.transaction._OVERTIME_S", 0.0)
    released = threading.Event()
    made = Made(timeout_s=0.05)
    made.producer.begin()
    monkeypatch.setattr(made.client, "send_offsets_to_transaction", lambda *_: released.wait())
    with pytest.raises(OutcomeUnknown, match="the input offsets were not taken"):
        made.commit()
    made.producer.replace()
    made.producer.begin()
    made.commit()
    assert len(made.clients) == 2
    released.set()


@pytest.mark.parametrize("call", ["offsets", "commit"])
def test_an_abortable_error_says_abort_even_where_it_is_retriable(call: str) -> None:
    made = Made()
    made.producer.begin()
    made.client.raises[call] = [error(retriable=True, txn_requires_abort=True)]
    with pytest.raises(TransactionAborted, match="the reason"):
        made.commit()
    assert made.producer.open
    made.producer.abort()
    assert made.client.calls[-1] == "abort"
    assert not made.producer.open


def test_a_commit_that_times_out_has_an_unknown_outcome() -> None:
    made = Made(timeout_s=0)
    made.producer.begin()
    made.client.raises["commit"] = [error(retriable=True)]
    with pytest.raises(OutcomeUnknown):
        made.commit()


def test_a_fatal_error_of_a_commit_has_an_unknown_outcome_and_a_new_producer_is_used_from_then_on() -> None:
    made = Made()
    made.producer.begin()
    made.client.raises["commit"] = [error(KafkaError._FATAL, fatal=True)]
    with pytest.raises(OutcomeUnknown):
        made.commit()
    made.producer.replace()
    assert made.clients[0].calls[-1] == "purge"
    assert not made.producer.open
    made.producer.begin()
    assert made.clients[1].calls == ["init", "begin"]


@pytest.mark.parametrize("code", [KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH])
@pytest.mark.parametrize("call", ["offsets", "commit", "abort", "produce"])
def test_a_producer_that_is_fenced_names_its_ordinal(code: int, call: str) -> None:
    made = Made()
    made.producer.begin()
    made.client.raises[call] = [error(code, fatal=True)]
    act: Callable[[], None] = {"abort": made.producer.abort, "produce": lambda: made.producer.produce(RECORD)}.get(
        call, made.commit
    )
    with pytest.raises(FencedError, match=r"transactional\.id segwire-membership-0: another process .* own ordinal"):
        act()


@pytest.mark.parametrize("failure", [error(), error(KafkaError._FATAL, fatal=True), error(txn_requires_abort=True)])
def test_an_abort_that_fails_is_left_to_a_new_producer(failure: KafkaException) -> None:
    made = Made()
    made.producer.begin()
    made.client.raises["abort"] = [failure]
    made.producer.abort()
    assert len(made.clients) == 2
    assert made.client.calls == ["init"]
    assert not made.producer.open


def test_a_full_queue_is_waited_for() -> None:
    made = Made()
    made.producer.begin()
    made.client.raises["produce"] = [BufferError(), BufferError()]
    made.producer.produce(RECORD)
    assert made.client.calls == ["init", "begin", "produce", "poll", "produce", "poll", "produce"]


def test_a_queue_that_stays_full_aborts() -> None:
    made = Made(timeout_s=-1)
    made.client.raises["produce"] = [BufferError()]
    with pytest.raises(TransactionAborted, match="stayed full"):
        made.producer.produce(RECORD)


def test_a_refused_record_of_a_transaction_that_has_to_be_aborted_aborts() -> None:
    made = Made()
    made.client.raises["produce"] = [error(txn_requires_abort=True)]
    with pytest.raises(TransactionAborted):
        made.producer.produce(RECORD)


def test_a_producer_that_takes_no_records_after_it_was_fenced_names_its_ordinal() -> None:
    made = Made()
    made.client.raises["produce"] = [error(KafkaError._FATAL, fatal=True)]
    with pytest.raises(FencedError, match="own ordinal"):
        made.producer.produce(RECORD)


# -- what is in the transaction ---------------------------------------------------------------------------------------


def test_a_record_that_is_too_large_says_that_it_is_the_records_fault() -> None:
    made = Made()
    made.producer.begin()
    made.client.raises["produce"] = [error(KafkaError.MSG_SIZE_TOO_LARGE)]
    with pytest.raises(RecordsFailed) as failed:
        made.producer.produce(RECORD)
    assert (failed.value.error, failed.value.kind) == ("output-refused", "MSG_SIZE_TOO_LARGE")
    made.producer.abort()
    assert len(made.clients) == 1


def test_a_record_of_the_wrong_type_does_so_too() -> None:
    made = Made()
    made.producer.begin()
    made.client.raises["produce"] = [TypeError("a bytes-like object is required")]
    with pytest.raises(RecordsFailed, match="out: a bytes-like object is required"):
        made.producer.produce(RECORD)


@pytest.mark.parametrize("call", ["offsets", "commit"])
def test_after_a_brokers_refusal_a_new_producer_is_used_as_the_old_ones_sequence_has_a_gap(call: str) -> None:
    made = Made()
    made.producer.begin()
    made.client.raises[call] = [error(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True)]
    with pytest.raises(RecordsFailed):
        made.commit()
    made.producer.abort()
    assert len(made.clients) == 2
    assert not made.producer.open
    made.producer.begin()
    made.producer.abort()
    assert len(made.clients) == 2


def test_a_transaction_that_takes_nothing_more_tells_why() -> None:
    made = Made()
    made.producer.begin()
    made.client.raises["produce"] = [error(KafkaError._STATE)]
    with pytest.raises(TransactionDoomed):
        made.producer.produce(RECORD)
    made.client.raises["offsets"] = [error(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True)]
    with pytest.raises(RecordsFailed):
        made.producer.raise_failure(OFFSETS, "group")


@pytest.mark.parametrize("said", [[], [error(txn_requires_abort=True)], [error()]])
def test_where_it_does_not_tell_it_is_aborted_all_the_same(said: list[Exception]) -> None:
    made = Made()
    made.producer.begin()
    made.client.raises["offsets"] = said
    with pytest.raises(TransactionAborted):
        made.producer.raise_failure(OFFSETS, "group")
    assert "commit" not in made.client.calls
