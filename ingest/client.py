"""librdkafka's producer as the event loop sees it: outcomes come in bulk, one that failed for good is replaced."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any, Final, Protocol, final

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from ingest.admission import AckState
from ingest.partitions import ANY, Partitions
from runtime.kafka.clients import OnError, log_error
from runtime.metrics import INGEST_PRODUCERS_REPLACED
from schemas.headers import Headers

MakeProducer = Callable[[OnError], Producer]

_POLL_S = 0.1
# A new client that fails for good at once must not be replaced in a busy loop.
_REPLACE_S = 1.0
# The size of a whole batch, or of one record, is above what the topic or the client takes.
_SIZE_CODES = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.RECORD_LIST_TOO_LARGE})
_UNREACHABLE_CODES = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001 - no other name

# Members of an enumeration are slow to look up.
_PENDING: Final = AckState.PENDING

_log = structlog.get_logger()


@final
class Record:
    """What is to be stored; it has no key."""

    __slots__ = ("headers", "topic", "value")

    def __init__(self, topic: str, value: bytes, headers: Headers) -> None:
        """Store `value` in `topic`."""
        self.topic = topic
        self.value = value
        self.headers = headers

    def __eq__(self, other: object) -> bool:
        """Tell whether the same is stored in the same place."""
        return isinstance(other, Record) and (
            (self.topic, self.value, self.headers) == (other.topic, other.value, other.headers)
        )

    __hash__ = None  # type: ignore[assignment] # its headers are a list


Outcome = tuple[Any, KafkaError | None]
"""Of one record: the token that it was sent with, and the error unless it is acknowledged."""


class Listener(Protocol):
    """Who hears of the outcomes, on the event loop."""

    def on_outcomes(self, outcomes: list[Outcome]) -> None:
        """Take what became of records, many at a time."""

    def on_client_error(self, reason: str) -> None:
        """Take that no broker can be reached, or that the client failed for good and is being replaced."""


@final
class KafkaClient:
    """An idempotent producer. A thread of its own serves librdkafka's callbacks; all else is for the event loop."""

    def __init__(
        self, make_producer: MakeProducer, listener: Listener, partitions: Mapping[str, Partitions] | None = None
    ) -> None:
        """Make the producer; it connects by itself. Call it on the running event loop.

        Of the topics in `partitions` these say where a record goes, of others the producer does.
        """
        self._loop = asyncio.get_running_loop()
        self._make_producer = make_producer
        self._listener = listener
        self._partitions = partitions or {}
        self._outcomes: list[Outcome] = []
        self._reasons: list[str] = []
        self._is_fatal = False
        self._was_reached = False
        self._reported: set[int] = set()
        self._stopping = threading.Event()
        self._use(make_producer(self._on_error))
        # What this thread logs, and what it has the loop do, is of the same service.
        self._context = copy_context()
        self._poller = threading.Thread(
            target=copy_context().run, args=(self._poll,), name="acknowledgements", daemon=True
        )
        self._poller.start()

    def send(self, record: Record, token: object, now_s: float) -> AckState:
        """Hand a record over; unless it is PENDING then, there comes no outcome."""
        partitions = self._partitions.get(record.topic)
        partition = ANY if partitions is None else partitions.choose(now_s)
        try:
            self._produce(
                record.topic,
                record.value,
                partition=partition,
                headers=record.headers,  # type: ignore[arg-type] # a list is what it wants
                on_delivery=_Delivery(self, token, partitions, partition),
            )
        except BufferError:
            return AckState.QUEUE_FULL
        except KafkaException as error:
            return state_of(error.args[0])
        if partitions is not None:
            partitions.sent(partition)
        return _PENDING

    def topics(self, timeout_s: float) -> set[str] | None:
        """Return the names of the cluster's topics, None where no broker answers. Blocks; for any thread."""
        try:
            topics = self._producer.list_topics(timeout=timeout_s).topics
        except KafkaException:
            return None
        self._was_reached = True
        counts = {name: len(topics[name].partitions) for name in self._partitions if name in topics}
        self._loop.call_soon_threadsafe(self._learn, counts)
        return set(topics)

    def all_is_well(self) -> None:
        """Have troubles that were logged logged again when they come again."""
        self._reported.clear()

    def give_up(self) -> None:
        """Have an outcome, an error, for everything that is not acknowledged yet. Blocks for a moment."""
        self._producer.purge()

    def stop(self) -> None:
        """Serve no callbacks any more. Blocks for a moment."""
        self._stopping.set()
        self._poller.join()

    def _use(self, producer: Producer) -> None:
        self._producer = producer
        self._produce = producer.produce

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._serve(lambda: self._producer.poll(_POLL_S))
            self._hand_over()
            if self._is_fatal:
                self._replace()
                self._hand_over()
                self._stopping.wait(_REPLACE_S)

    def _hand_over(self) -> None:
        """Wake the event loop once for all that came together."""
        if self._outcomes or self._reasons:
            outcomes, self._outcomes = self._outcomes, []
            reasons, self._reasons = self._reasons, []
            self._loop.call_soon_threadsafe(self._tell, outcomes, reasons, context=self._context)

    def _replace(self) -> None:
        """Begin again with a new producer: the old one takes nothing any more, what it has comes back as errors."""
        old = self._producer
        self._use(self._make_producer(self._on_error))
        INGEST_PRODUCERS_REPLACED.inc()
        _log.warning("kafka_client_replaced")
        old.purge()
        self._serve(lambda: old.flush(_REPLACE_S))
        self._is_fatal = False

    def _serve(self, callbacks: Callable[[], object]) -> None:
        """Serve callbacks; an error that the client cannot go on after comes out of them as an exception instead."""
        try:
            callbacks()
        except KafkaException as error:
            self._on_error(error.args[0])

    def _tell(self, outcomes: list[Outcome], reasons: list[str]) -> None:
        if outcomes:
            self._listener.on_outcomes(outcomes)
        for reason in reasons:
            self._listener.on_client_error(reason)

    def _learn(self, counts: dict[str, int]) -> None:
        for name, count in counts.items():
            self._partitions[name].become(count)

    def ended(self, token: object, error: KafkaError | None) -> None:
        """Take what became of a record; for the thread that serves callbacks."""
        self._outcomes.append((token, error))

    def _on_error(self, error: KafkaError) -> None:
        code = error.code()
        # It tells the same each second of an outage: once is enough, until all is well again.
        if code not in self._reported and (self._was_reached or code not in _UNREACHABLE_CODES):
            self._reported.add(code)
            log_error(error)
        if error.fatal():
            self._is_fatal = True
            self._reasons.append(f"the Kafka client failed for good ({error.str()}) and is being replaced")
        elif code == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - no other name
            self._reasons.append("no Kafka broker can be reached; see kafka.bootstrap_servers")


@final
class _Delivery:
    """What librdkafka tells of one record."""

    __slots__ = ("_client", "_partition", "_partitions", "_token")

    def __init__(self, client: KafkaClient, token: object, partitions: Partitions | None, partition: int) -> None:
        self._client = client
        self._token = token
        self._partitions = partitions
        self._partition = partition

    def __call__(self, error: KafkaError | None, _message: object) -> None:
        if self._partitions is not None:
            self._partitions.ended(self._partition)
        self._client.ended(self._token, error)


def state_of(error: KafkaError) -> AckState:
    """Return what an error means for the record."""
    return AckState.OVERSIZED if error.code() in _SIZE_CODES else AckState.FAILED
