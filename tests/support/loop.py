"""Doubles for the loop that hosts a processor: a log that is fetched from, transactions whose fate the test decides."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, cast

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime.attempts import Attempts
from runtime.isolation import Isolation, Place
from runtime.kafka.transaction import RecordsFailed, TransactionAborted
from runtime.loop import TransactionLoop
from runtime.processor import Backpressure, InputRecord, OutputRecord, TimerFailed
from runtime.service import StopSignal
from runtime.settings import FanOutSettings

TOPIC = "in"


class Clock:
    """Moves when told, and a little with each fetch."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now_ms(self) -> int:
        return int(self.at_s * 1000)

    def monotonic_s(self) -> float:
        return self.at_s


class FakeMessage(NamedTuple):
    at_partition: int
    at_offset: int
    failure: KafkaError | None = None

    def partition(self) -> int:
        return self.at_partition

    def offset(self) -> int:
        return self.at_offset

    def error(self) -> KafkaError | None:
        return self.failure

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return f"{self.at_partition}/{self.at_offset}".encode()

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_000_000


class FakeConsumer:
    """Fetches from a log of `ends[partition]` records; `script` runs one action within each fetch, then it stops."""

    def __init__(self, clock: Clock, stop: StopSignal) -> None:
        self.ends: dict[int, int] = {}
        self.script: list[Callable[[], None]] = []
        self.already_fetched: list[FakeMessage] = []
        self.positions: dict[int, int] = {}
        self.paused: set[int] = set()
        self.stored: dict[int, TopicPartition] = {}
        self.seeks: list[tuple[int, int]] = []
        self.closed = False
        self.step_s = 0.001
        self.tells_ends = False
        self._told: dict[int, int] = {}
        self.member = "member-1"
        self.unsubscribing: KafkaException | None = None
        self.subscribed = 0
        self._clock = clock
        self._stop = stop
        self._callbacks: dict[str, Callable[[Any, list[TopicPartition]], None]] = {}

    def subscribe(self, _topics: list[str], **callbacks: Callable[[Any, list[TopicPartition]], None]) -> None:
        self._callbacks = callbacks
        self.subscribed += 1

    def consume(self, limit: int, _timeout_s: float) -> list[FakeMessage]:
        self._clock.at_s += self.step_s
        fetched = self._fetch(limit)
        if self.script:
            self.script.pop(0)()
        elif not fetched:
            self._stop.set()
        return [*self.already_fetched, *fetched]

    def _fetch(self, limit: int) -> list[FakeMessage]:
        found: list[FakeMessage] = []
        for partition in sorted(set(self.positions) - self.paused):
            while self.positions[partition] < self.ends.get(partition, 0) and len(found) < limit:
                found.append(FakeMessage(partition, self.positions[partition]))
                self.positions[partition] += 1
            if self.tells_ends and self._told.get(partition) != self.positions[partition]:
                self._told[partition] = self.positions[partition]
                found.append(FakeMessage(partition, self.positions[partition], KafkaError(KafkaError._PARTITION_EOF)))
        return found

    def rebalance(self, kind: str, *partitions: int) -> None:
        """Call back as the client does: `on_assign`, `on_revoke` or `on_lost`."""
        self._callbacks[kind](self, [TopicPartition(TOPIC, partition) for partition in partitions])

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        for tp in partitions:
            self.positions[tp.partition] = (
                max(self.stored[tp.partition].offset, 0) if tp.partition in self.stored else 0
            )

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        for tp in partitions:
            del self.positions[tp.partition]

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused.update(tp.partition for tp in partitions)

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused.difference_update(tp.partition for tp in partitions)

    def seek(self, where: TopicPartition) -> None:
        self.seeks.append((where.partition, where.offset))
        self.positions[where.partition] = where.offset

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(TOPIC, tp.partition, self.positions[tp.partition]) for tp in partitions]

    def get_watermark_offsets(self, where: TopicPartition, **_: object) -> tuple[int, int]:
        return 0, self.ends.get(where.partition, 0)

    def committed(self, partitions: list[TopicPartition], timeout: float = 0) -> list[TopicPartition]:
        assert timeout > 0
        return [self.stored.get(tp.partition, TopicPartition(TOPIC, tp.partition, -1001)) for tp in partitions]

    def memberid(self) -> str:
        return self.member

    def unsubscribe(self) -> None:
        """The partitions go with the next fetch."""
        if self.unsubscribing is not None:
            raise self.unsubscribing
        held = list(self.positions)
        self.script.insert(0, lambda: self.rebalance("on_revoke", *held))

    def consumer_group_metadata(self) -> object:
        return "the group's generation"

    def close(self) -> None:
        self.closed = True


class FakeTransactions:
    """In the place of the transactional producer; `fates` says how the next commits end, well when it is empty."""

    def __init__(self, consumer: FakeConsumer) -> None:
        self.open = False
        self.fates: list[Exception] = []
        self.happens_anyway = False
        self.full = False
        self.letters: list[OutputRecord] = []
        self.refused: set[str] = set()
        self.refused_late: set[str] = set()
        self.refuses_letters = False
        self._doomed = False
        self.committed: list[list[str]] = []
        self.offsets: list[dict[int, int]] = []
        self.aborts = 0
        self.replaced = 0
        self._consumer = consumer
        self._records: list[str] = []

    def begin(self) -> None:
        assert not self.open
        self.open = True
        self._records = []
        self._doomed = False

    def produce(self, record: OutputRecord, _on_delivery: object = None) -> None:
        assert self.open
        if self.full:
            self.full = False
            raise TransactionAborted("the producer's queue stayed full")
        value = (record.value or b"").decode()
        if record.topic == "dead-letters":
            self.letters.append(record)
            self._doomed |= self.refuses_letters
        elif value in self.refused:
            raise RecordsFailed("output-refused", "too large", "MSG_SIZE_TOO_LARGE")
        self._doomed |= value in self.refused_late and record.topic != "dead-letters"
        self._records.append(value)

    def poll(self) -> None:
        return

    def flush(self) -> None:
        return

    def commit(self, offsets: list[TopicPartition], group_metadata: object) -> None:
        assert self.open
        assert group_metadata == "the group's generation"
        if self._doomed:
            raise RecordsFailed("output-refused", "too large", "MSG_SIZE_TOO_LARGE")
        if self.fates:
            fate = self.fates.pop(0)
            if self.happens_anyway:
                self._happen(offsets)
            raise fate
        self._happen(offsets)
        self.open = False

    def abort(self) -> None:
        assert self.open
        self.open = False
        self.aborts += 1

    def replace(self) -> None:
        self.open = False
        self.replaced += 1

    def _happen(self, offsets: list[TopicPartition]) -> None:
        self.committed.append(self._records)
        self.offsets.append({tp.partition: tp.offset for tp in offsets})
        self._consumer.stored.update({tp.partition: tp for tp in offsets})


class Echo:
    """Publishes each record as it came, and what `due` holds; counts what the loop tells it."""

    def __init__(self) -> None:
        self.due: list[bytes] = []
        self.pressures: list[Backpressure] = []
        self.poison: dict[str, Callable[[], None]] = {}
        self.batches: list[list[str]] = []
        self.punctuated: list[tuple[int, list[int]]] = []
        self.timer_fails = 0
        self.settled = 0
        self.dropped = 0

    def process(self, records: Sequence[InputRecord]) -> Iterator[OutputRecord]:
        self.batches.append([(record.value or b"").decode() for record in records])
        for name in self.batches[-1]:
            self.poison.get(name, nothing)()
        pressure = self.pressures.pop(0) if self.pressures else None
        for record in records if pressure is None else records[: pressure.processed]:
            yield OutputRecord("out", -1, record.key, record.value)
        if pressure is not None:
            raise pressure

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:
        self.punctuated.append((now_ms, sorted(partitions)))
        if self.timer_fails:
            self.timer_fails -= 1
            raise TimerFailed(0, "ValueError")
        due, self.due = self.due, []
        return [OutputRecord("out", -1, None, value) for value in due]

    def committed(self) -> None:
        self.settled += 1

    def aborted(self) -> None:
        self.dropped += 1


class FakeState:
    """Restores the partitions `at_once` when they are assigned, others when the test says so; notes what it is told."""

    def __init__(self, *at_once: int) -> None:
        self.at_once = set(at_once)
        self.active: set[int] = set()
        self.ready: set[int] = set()
        self.assigned: set[int] = set()
        self.calls: list[str] = []
        self.moved = False

    def assign(self, partitions: list[int]) -> None:
        self.assigned.update(partitions)
        self.ready |= self.at_once & set(partitions)

    def revoke(self, partitions: list[int]) -> None:
        self.assigned.difference_update(partitions)
        self.active.difference_update(partitions)

    def newly_active(self) -> set[int]:
        new, self.ready = self.ready, set()
        self.active |= new
        return new

    def restoring(self) -> bool:
        return self.assigned != self.active

    def pending(self) -> bool:
        return self.moved

    def clock_difference_ms(self) -> int | None:
        return None

    def write_changelog(self, _producer: FakeTransactions) -> int:
        self.calls.append("changelog")
        return 0

    def committed(self) -> None:
        self.moved = False
        self.calls.append("committed")

    def aborted(self) -> None:
        self.moved = False
        self.calls.append("aborted")


class Kept:
    """In the place of the file that outlives a process."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.saved = 0

    def load(self) -> str | None:
        return self.text

    def save(self, text: str) -> None:
        self.text = text
        self.saved += 1


class Hosted:
    """A loop over the doubles; `kept` is what a former process left."""

    def __init__(
        self, *, state: FakeState | None = None, horizon: Any = None, kept: Kept | None = None, **settings: float
    ) -> None:  # fmt: skip
        self.clock = Clock()
        self.stop = StopSignal()
        self.consumer = FakeConsumer(self.clock, self.stop)
        self.transactions = FakeTransactions(self.consumer)
        self.processor = Echo()
        self.connected = 0
        self.kept = kept or Kept()
        chosen = FanOutSettings(**cast("dict[str, Any]", settings))
        self.isolation = Isolation(Place("test", "a-stage", TOPIC, "dead-letters"), chosen, Attempts(self.kept))
        self.loop = TransactionLoop(
            name="test", topic=TOPIC, settings=chosen, isolation=self.isolation,
            connect=self._connect, producer=cast("Any", self.transactions),
            processor=self.processor, state=cast("Any", state), clock=self.clock, horizon=horizon,
        )  # fmt: skip

    def _connect(self) -> Any:
        self.connected += 1
        return self.consumer

    def run(self, *script: Callable[[], None], ends: dict[int, int] | None = None) -> list[list[str]]:
        """Run one action within each fetch, then until nothing comes; return what each transaction published."""
        self.consumer.ends.update(ends or {})
        self.consumer.script = list(script)
        self.loop.run(self.stop)
        return self.transactions.committed

    def assign(self, *partitions: int) -> Callable[[], None]:
        return lambda: self.consumer.rebalance("on_assign", *partitions)

    def revoke(self, *partitions: int) -> Callable[[], None]:
        return lambda: self.consumer.rebalance("on_revoke", *partitions)

    def lose(self, *partitions: int) -> Callable[[], None]:
        return lambda: self.consumer.rebalance("on_lost", *partitions)

    def wait(self, seconds: float) -> Callable[[], None]:
        def pass_time() -> None:
            self.clock.at_s += seconds

        return pass_time


def nothing() -> None:
    """Just fetch."""
