"""The way into a durable store: Kafka, else the spool, within a deadline. The shell around `decide` and `after`.

Source: the design, *Ingest: when is 200 said*. Everything here runs on one event loop.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Final, Protocol, final

import structlog
from confluent_kafka import KafkaError

from ingest.admission import AckState, Limits, SpoolStep, Step, Verdict, decide
from ingest.circuit import Circuit, CircuitLimits, Event, KafkaState, after
from ingest.client import KafkaClient, MakeProducer, Outcome, Record, state_of
from ingest.local_store import LocalStore
from ingest.partitions import Partitions
from ingest.spool.record import Position, Spooled
from ingest.spool.spool import Spool
from runtime.clock import Clock
from runtime.metrics import INGEST_IN_FLIGHT, INGEST_LATE_ACKS, INGEST_SPOOLED, INGEST_STATE_CHANGES
from schemas import headers as record_headers

_SWEEP_S = 0.02
# A sweep that comes later than this came after a standstill of this process; then the stores are heard for a while.
_PAUSE_S = 0.2
_LISTEN_S = 0.3
# Half of librdkafka's own bound of records; the bound of bytes is given.
_CROWDED_RECORDS = 50_000

# Members of an enumeration are slow to look up.
_OK: Final = KafkaState.OK
_NOT_SENT: Final = AckState.NOT_SENT
_PENDING: Final = AckState.PENDING
_ACKNOWLEDGED: Final = AckState.ACKNOWLEDGED
_NOT_TRIED: Final = SpoolStep.NOT_TRIED
_DURABLE: Final = Verdict.DURABLE

_log = structlog.get_logger()

Verdicts = asyncio.Future[Verdict]


class Waiter(Protocol):
    """Who waits for a verdict: a future, or what is told at once."""

    def done(self) -> bool:
        """Tell whether a verdict is not wanted any more."""

    def set_result(self, verdict: Verdict, /) -> None:
        """Take the verdict; must not raise."""


class Publisher(Protocol):
    """A way into a durable store."""

    def publish(self, record: Record) -> Awaitable[Verdict]:
        """Store a record; there is a verdict within the deadline, and never an exception."""

    def submit(self, record: Record, waiter: Waiter) -> None:
        """Store a record; `waiter` gets the verdict on the event loop, perhaps before this returns."""


@final
class Message:
    """One record on its way; of a replayed one `home` is the spool that it came from."""

    __slots__ = ("ack", "home", "position", "record", "since_s", "spool", "waiter")

    def __init__(
        self,
        record: Record,
        waiter: Waiter,
        since_s: float,
        spool: SpoolStep = _NOT_TRIED,
        position: Position | None = None,
        home: Spool | None = None,
    ) -> None:
        """Begin its way; `waiter` is to have the verdict."""
        self.record = record
        self.waiter = waiter
        self.since_s = since_s
        self.ack: AckState = _NOT_SENT
        self.spool = spool
        self.position = position
        self.home = home


@final
class DurablePublisher:
    """Kafka first, the spool else; what the circuit says of Kafka decides which.

    A record whose sender was told 503 stays in the producer's queue: should Kafka take it later, it is not lost after
    all. What both stores have is marked done in the spool when Kafka acknowledges it, however late.
    """

    def __init__(
        self,
        make_producer: MakeProducer,
        store: LocalStore,
        limits: Limits,
        clock: Clock,
        *,
        queue_bytes_max: int,
        circuit_limits: CircuitLimits | None = None,
        partitions: Mapping[str, Partitions] | None = None,
    ) -> None:
        """Make the producer; it connects by itself. Call it on the running event loop."""
        self.circuit = Circuit()
        self._loop = asyncio.get_running_loop()
        self._store = store
        self._limits = limits
        self._circuit_limits = circuit_limits or CircuitLimits(silence_ms=limits.ack_wait_ms)
        self._clock = clock
        self._crowded_bytes = queue_bytes_max // 2
        self._in_time: deque[Message] = deque()
        self._troubled: list[Message] = []
        self._late: set[Position] = set()
        self._passed_over: set[Position] = set()
        self._sweeping = False
        self._swept_s = 0.0
        self._listens_until_s = 0.0
        self._told: set[str] = set()
        self._in_flight = 0
        self._in_flight_bytes = 0
        self.last_live_s = 0.0
        self._closing = False
        self._rescued: list[asyncio.Future[Position]] = []
        INGEST_IN_FLIGHT.set_function(lambda: self._in_flight)
        self.client = KafkaClient(make_producer, self, partitions)

    @property
    def in_flight(self) -> int:
        """How many records the producer has that are not acknowledged."""
        return self._in_flight

    def publish(self, record: Record) -> Verdicts:
        """Store a record; the future has its verdict within `ack_timeout_ms`."""
        future: Verdicts = self._loop.create_future()
        self.submit(record, future)
        return future

    def submit(self, record: Record, waiter: Waiter) -> None:
        """Store a record; `waiter` has its verdict within `ack_timeout_ms`."""
        now_s = self._clock.monotonic_s()
        self.last_live_s = now_s
        message = Message(record, waiter, now_s)
        # What `decide` says of nearly every message, without asking it.
        if self.circuit.state is _OK and self._produce(message, now_s) is _PENDING:
            self._in_time.append(message)
        else:
            self._advance(message, now_s)
            if not waiter.done():
                self._troubled.append(message)
        if not self._sweeping:
            self._sweeping = True
            self._swept_s = now_s
            self._loop.call_later(_SWEEP_S, self._sweep)

    def replay(self, spooled: Spooled, spool: Spool) -> Verdicts | None:
        """Hand a spooled record to Kafka; None where Kafka has it in hand already.

        The verdict is NO_DURABLE_STORE where Kafka did not take it; it has all the time that the producer gives it.
        """
        if spool is self._store.spool and spooled.position in self._late:
            self._passed_over.add(spooled.position)
            return None
        kept = spooled.record
        record = Record(kept.topic, kept.body, kept.headers)
        future: Verdicts = self._loop.create_future()
        now_s = self._clock.monotonic_s()
        message = Message(record, future, now_s, spool=SpoolStep.STORED, position=spooled.position, home=spool)
        ack = self._produce(message, now_s)
        if ack is not AckState.PENDING:
            self._end_replay(message)
        return future

    def takes_replays(self) -> bool:
        """Tell whether Kafka is relied upon, and not busy enough with live messages."""
        return self.circuit.state is KafkaState.OK and self._in_flight_bytes <= self._crowded_bytes

    def replay_overdue(self) -> None:
        """Take that Kafka did not acknowledge a replay in time."""
        self.observe(Event.TIMED_OUT, f"Kafka did not acknowledge a replay within {self._limits.ack_wait_ms} ms")

    def observe(self, event: Event, reason: str | None = None) -> None:
        """Take what was heard of Kafka."""
        before = self.circuit
        self.circuit = after(before, event, self._clock.monotonic_s(), self._circuit_limits, reason)
        if self.circuit.state is before.state:
            return
        INGEST_STATE_CHANGES.labels(self.circuit.state.value).inc()
        if self.circuit.state is KafkaState.OK:
            self._told.clear()
            self.client.all_is_well()
            _log.info("kafka_relied_upon")
            return
        _log.warning("kafka_not_relied_upon", state=self.circuit.state.value, reason=self.circuit.reason)
        # Those that wait for an acknowledgement need not wait any longer.
        self._troubled.extend(self._in_time)
        self._in_time.clear()

    def tick(self) -> None:
        """Let time go by for the circuit."""
        if self.circuit.state is KafkaState.SLOW:
            self.observe(Event.PASSED_WAITING if self._in_flight else Event.PASSED)

    async def close(self, flush_s: float) -> int:
        """Give Kafka `flush_s` for what it has not acknowledged; what is left then goes to the spool, durably.

        Return how many records no store has; their senders were told.
        """
        end_s = self._clock.monotonic_s() + flush_s
        while self._in_flight and self.circuit.state is not KafkaState.DOWN and self._clock.monotonic_s() < end_s:
            await asyncio.sleep(_SWEEP_S)
            self.tick()
        self._closing = True
        if self._in_flight:
            await asyncio.to_thread(self.client.give_up)
            end_s = self._clock.monotonic_s() + 1
            while self._in_flight and self._clock.monotonic_s() < end_s:  # noqa: ASYNC110 - a thread tells
                await asyncio.sleep(_SWEEP_S)
        results = await asyncio.gather(*self._rescued, return_exceptions=True)
        await asyncio.to_thread(self.client.stop)
        return self._in_flight + sum(isinstance(result, BaseException) for result in results)

    def on_client_error(self, reason: str) -> None:
        """Take that the producer reaches nobody, or failed for good."""
        self.observe(Event.FAILED, reason)

    def on_outcomes(self, outcomes: list[Outcome]) -> None:
        """Take what became of records."""
        self._in_flight -= len(outcomes)
        acknowledged = False
        refused: KafkaError | None = None
        for message, error in outcomes:
            self._in_flight_bytes -= len(message.record.value)
            if error is None:
                acknowledged = True
                message.ack = _ACKNOWLEDGED
                if not message.waiter.done():
                    message.waiter.set_result(_DURABLE)
                if message.position is not None:
                    self._done(message, message.position)
            else:
                refused = error
                self._on_failure(message, error)
        if refused is not None and not self._closing and refused.name() not in self._told:
            # Once for each kind, until all is well again: an outage refuses thousands.
            self._told.add(refused.name())
            _log.warning("records_not_delivered", code=refused.name(), detail=refused.str())
        if acknowledged and (self.circuit.state is not _OK or self.circuit.timeouts):
            self.observe(Event.ACKNOWLEDGED)

    def _produce(self, message: Message, now_s: float) -> AckState:
        message.ack = ack = self.client.send(message.record, message, now_s)
        if ack is _PENDING:
            self._in_flight += 1
            self._in_flight_bytes += len(message.record.value)
            if self._in_flight_bytes > self._crowded_bytes or self._in_flight > _CROWDED_RECORDS:
                self.observe(Event.CROWDED, "Kafka acknowledges slower than messages come")
        elif ack is AckState.QUEUE_FULL:
            self.observe(Event.CROWDED, "the Kafka producer's queue is full")
        return ack

    def _advance(self, message: Message, now_s: float) -> None:
        """Do what is next for a message that nobody answered yet."""
        elapsed_ms = (now_s - message.since_s) * 1000
        if now_s < self._listens_until_s:
            elapsed_ms = min(elapsed_ms, self._limits.ack_timeout_ms - 1)
        step = decide(self.circuit.state, message.ack, message.spool, elapsed_ms, self._limits)
        if step is Step.PRODUCE:
            self._produce(message, now_s)
            step = decide(self.circuit.state, message.ack, message.spool, elapsed_ms, self._limits)
        if step is Step.SPOOL:
            self._spool(message)
        elif isinstance(step, Verdict) and not message.waiter.done():
            message.waiter.set_result(step)

    def _spool(self, message: Message) -> None:
        INGEST_SPOOLED.labels(_source(message.record), self.circuit.state.value).inc()
        message.spool = SpoolStep.WRITING
        self._store.append(message.record).add_done_callback(partial(self._on_spooled, message))

    def _on_spooled(self, message: Message, appended: asyncio.Future[Position]) -> None:
        if appended.cancelled() or appended.exception() is not None:
            message.spool = SpoolStep.REFUSED
            if not message.waiter.done():
                self._advance(message, self._clock.monotonic_s())
            return
        message.spool, message.position = SpoolStep.STORED, appended.result()
        if not message.waiter.done():
            message.waiter.set_result(Verdict.DURABLE)
        if message.ack is AckState.ACKNOWLEDGED:
            self._done(message, message.position)
        elif message.ack is AckState.PENDING:
            self._late.add(message.position)

    def _done(self, message: Message, position: Position) -> None:
        spool = message.home or self._store.spool
        if message.home is None:
            INGEST_LATE_ACKS.labels(_source(message.record)).inc()
            self._late.discard(position)
            self._passed_over.discard(position)
        if spool is not None:
            spool.mark_done(position)

    def _on_failure(self, message: Message, error: KafkaError) -> None:
        message.ack = state_of(error)
        if message.ack is AckState.FAILED and not self._closing:
            self.observe(Event.FAILED, f"Kafka refused a record ({error.str()}); see segwire doctor")
        if message.home is not None:
            self._end_replay(message)
        elif message.position is not None:
            self._late.discard(message.position)
            if message.position in self._passed_over and self._store.spool is not None:
                self._passed_over.discard(message.position)
                self._store.spool.give_back([message.position])
        elif self._closing and message.spool is not SpoolStep.WRITING:
            message.spool = SpoolStep.WRITING
            self._rescued.append(self._store.append(message.record))
        elif not message.waiter.done():
            self._advance(message, self._clock.monotonic_s())

    def _end_replay(self, message: Message) -> None:
        is_oversized = message.ack is AckState.OVERSIZED
        if not message.waiter.done():
            message.waiter.set_result(Verdict.TOO_LARGE if is_oversized else Verdict.NO_DURABLE_STORE)

    def _note_standstill(self, now_s: float) -> None:
        """Give nobody up for a moment where this process itself stood still.

        What its threads and the disk had nearly done has to be done and heard first. Not twice in a row: who is starved
        for long tells the truth in the end.
        """
        stood_still, self._swept_s = now_s - self._swept_s > _PAUSE_S, now_s
        if stood_still and now_s > self._listens_until_s + _LISTEN_S:
            self._listens_until_s = now_s + _LISTEN_S

    def _sweep(self) -> None:
        """Go on with those who have waited long enough."""
        now_s = self._clock.monotonic_s()
        self._note_standstill(now_s)
        # All wait equally long, so the first that may still wait is the last to look at.
        in_time = self._in_time
        overdue_s = now_s - self._limits.ack_wait_ms / 1000
        timed_out = 0
        while in_time and (
            in_time[0].ack is _ACKNOWLEDGED or in_time[0].since_s <= overdue_s or in_time[0].waiter.done()
        ):
            message = in_time.popleft()
            if not message.waiter.done():
                timed_out += 1
                self._troubled.append(message)
        for _ in range(timed_out):
            self.observe(Event.TIMED_OUT, f"Kafka did not acknowledge within {self._limits.ack_wait_ms} ms")
        if self._troubled:
            waiting = [message for message in self._troubled if not message.waiter.done()]
            self._troubled = []
            for message in waiting:
                self._advance(message, now_s)
            self._troubled += [message for message in waiting if not message.waiter.done()]
        self._sweeping = bool(self._in_time or self._troubled)
        if self._sweeping:
            self._loop.call_later(_SWEEP_S, self._sweep)


def _source(record: Record) -> str:
    for name, value in record.headers:
        if name == record_headers.SOURCE:
            return value.decode()
    return "unknown"
