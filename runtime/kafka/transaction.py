"""One transactional producer, replaced where nobody can say what became of its transaction.

librdkafka has no KIP-890: after a commit or abort that timed out or met a coordinator failure, only a new epoch makes
the outcome certain. Source: KIP-98, KIP-447; design, *Membership*, points 6 to 8.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import NoReturn

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from runtime.errors import SegwireError
from runtime.injection import reach
from runtime.processor import OutputRecord

_log = structlog.get_logger()

_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001

# The brokers will not take one of the records, however often it is sent.
_REFUSED = {
    KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_MSG_SIZE, KafkaError.INVALID_RECORD
}  # fmt: skip

# Beyond its own timeout, until a call is taken for stuck.
_OVERTIME_S = 1.0


class TransactionAborted(Exception):  # noqa: N818 - an outcome, not an error
    """The transaction did not happen: its input comes again."""


class TransactionDoomed(TransactionAborted):
    """The transaction takes nothing more, as something in it has failed: `raise_failure` tells what."""


class RecordsFailed(TransactionAborted):
    """The transaction failed by what was in it: it will fail again, unless a record is set aside.

    `error` is the class for dead letters, `kind` the name of what was raised; the text may hold contents of records.
    """

    def __init__(self, error: str, reason: str, kind: str = "") -> None:
        """Tell why."""
        super().__init__(reason)
        self.error = error
        self.kind = kind or error


class OutcomeUnknown(Exception):  # noqa: N818 - an outcome, not an error
    """Nobody knows whether the commit happened: replace the producer, then ask for the committed offsets."""


class FencedError(SegwireError):
    """Another process has taken over the transactional ID."""


class TransactionalProducer:
    """Begins, fills and ends transactions; blocks in every call but `produce`."""

    def __init__(self, make: Callable[[], Producer], transactional_id: str, timeout_s: float) -> None:
        """End whatever a predecessor of the same ID left open, and be ready to begin.

        Raises:
            KafkaException: the coordinator could not be reached within `timeout_s`.
        """
        self._make = make
        self._id = transactional_id
        self._timeout_s = timeout_s
        self._producer = self._initialised()
        self._out_of_step = False
        self.open = False

    def begin(self) -> None:
        """Begin a transaction."""
        self._producer.begin_transaction()
        self.open = True

    def produce(
        self, record: OutputRecord, on_delivery: Callable[[KafkaError | None, object], None] | None = None
    ) -> None:
        """Add a record; waits while the local queue is full.

        Raises:
            TransactionAborted: the broker did not take what is queued in time.
            RecordsFailed: this is nothing that Kafka takes.
            FencedError: another process has the transactional ID.
        """
        deadline_s = 0.0
        topic, partition, key, value, headers = (
            record.topic, record.partition, record.key, record.value, record.headers
        )  # fmt: skip
        while True:
            try:
                if headers is None and on_delivery is None:
                    # What is not named costs nothing: two fifths of the call.
                    self._producer.produce(topic, value, key, partition)
                else:
                    self._producer.produce(
                        topic, value, key, partition, on_delivery=on_delivery, headers=headers,  # type: ignore[arg-type]
                    )  # fmt: skip
            except BufferError:
                deadline_s = deadline_s or time.monotonic() + self._timeout_s
                if time.monotonic() > deadline_s:
                    raise TransactionAborted("the producer's queue stayed full") from None
                self._producer.poll(0.05)
            except KafkaException as error:
                code = error.args[0].code()
                if code == KafkaError._FATAL:  # noqa: SLF001 - all it says once it was fenced
                    raise self._fenced(error.args[0]) from error
                if code == KafkaError._STATE:  # noqa: SLF001 - all it says once a record was not delivered
                    raise TransactionDoomed("the transaction takes nothing more") from error
                raise self._sorted(error) from error
            except (TypeError, ValueError) as error:
                raise RecordsFailed("output-refused", f"{topic}: {error}", type(error).__name__) from error
            else:
                return

    def flush(self) -> None:
        """Wait until everything that was produced is delivered, or failed."""
        self._producer.flush(self._timeout_s)

    def poll(self) -> None:
        """Serve delivery reports."""
        self._producer.poll(0)

    def commit(self, offsets: list[TopicPartition], group_metadata: object) -> None:
        """Commit the transaction with the input offsets; without any it has no input.

        Raises:
            TransactionAborted: it has to be aborted.
            OutcomeUnknown: it may have happened.
            FencedError: another process has the transactional ID.
        """
        deadline_s = time.monotonic() + self._timeout_s
        if offsets:
            self._until(deadline_s, lambda left_s: self._send_offsets(offsets, group_metadata, left_s))
        reach("offsets-sent")
        self._until(deadline_s, self._producer.commit_transaction)
        self.open = False

    def raise_failure(self, offsets: list[TopicPartition], group_metadata: object) -> NoReturn:
        """Tell why a transaction takes nothing more, by trying to add offsets to it, which is without effect.

        Raises:
            TransactionAborted: it has to be aborted; `RecordsFailed` where a record is the cause.
            FencedError: another process has the transactional ID.
        """
        deadline_s = time.monotonic() + self._timeout_s
        with suppress(OutcomeUnknown):
            self._until(deadline_s, lambda left_s: self._send_offsets(offsets, group_metadata, left_s))
        raise TransactionAborted("the transaction takes nothing more")

    def _send_offsets(self, offsets: list[TopicPartition], group_metadata: object, left_s: float) -> None:
        """Add the input offsets, in a thread that is left behind where it does not come back in time.

        librdkafka ignores the timeout where the group's coordinator went away, and may block for ever
        (github.com/confluentinc/librdkafka/issues/5456). A new producer fences whatever the old one still does.
        """
        producer = self._producer
        done: Future[None] = Future()

        def send() -> None:
            try:
                producer.send_offsets_to_transaction(offsets, group_metadata, left_s)
            except Exception as error:  # noqa: BLE001 - it belongs to who waits for it
                done.set_exception(error)
            else:
                done.set_result(None)

        threading.Thread(target=send, daemon=True, name="send-offsets").start()
        try:
            done.result(left_s + _OVERTIME_S)
        except TimeoutError:
            raise OutcomeUnknown(f"the input offsets were not taken within {left_s:.1f} s") from None

    def abort(self) -> None:
        """Abort the transaction; where that cannot be had in time, a new producer's first act ends it.

        Raises:
            FencedError: another process has the transactional ID.
        """
        self.open = False
        if self._out_of_step:
            self.replace()
            return
        try:
            self._until(time.monotonic() + self._timeout_s, self._producer.abort_transaction)
        except (TransactionAborted, OutcomeUnknown):
            self.replace()

    def replace(self) -> None:
        """Take a new producer: its new epoch fences the old one, and ends what was open or half committed."""
        _log.warning("producer_replaced", transactional_id=self._id)
        self._producer.purge()
        self._producer = self._initialised()
        self._out_of_step = False
        self.open = False

    def _initialised(self) -> Producer:
        producer = self._make()
        deadline_s = time.monotonic() + max(60.0, 2 * self._timeout_s)
        self._until(deadline_s, producer.init_transactions)
        return producer

    def _until(self, deadline_s: float, call: Callable[[float], object]) -> None:
        """Repeat a call that may be resumed, until it succeeds or the deadline."""
        while True:
            left_s = deadline_s - time.monotonic()
            try:
                call(max(left_s, 0.001))
            except KafkaException as error:
                if left_s > 0 and error.args[0].retriable() and not error.args[0].txn_requires_abort():
                    continue
                raise self._sorted(error) from error
            else:
                return

    def _sorted(self, error: KafkaException) -> Exception:
        """Return what the loop has to do about an error."""
        cause: KafkaError = error.args[0]
        if cause.code() in _FENCED:
            return self._fenced(cause)
        if cause.code() in _REFUSED:
            # What a broker refused leaves a gap in the sequence, at which the next transaction would fail, too.
            self._out_of_step = cause.txn_requires_abort()
            return RecordsFailed("output-refused", cause.str(), cause.name())
        if cause.txn_requires_abort():
            return TransactionAborted(cause.str())
        return OutcomeUnknown(cause.str())

    def _fenced(self, cause: KafkaError) -> FencedError:
        return FencedError(
            f"transactional.id {self._id}: another process has taken it over, or a transaction took too long "
            f"({cause.str()}); give each replica its own ordinal; where there is no other process, start this one again"
        )
