"""The membership processor over a real local store, without Kafka: time is what the test says it is."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from processors.membership import Membership, user_codec
from processors.rules.expiry import TimeLimits
from processors.rules.state import UserState
from runtime.clock import SystemClock
from runtime.processor import InputRecord, OutputRecord
from runtime.state.store import StateStore, Timer, Writes, data_key
from runtime.state.table import StateTable
from schemas.avro_codec import decode_change, decode_membership
from schemas.event import SegmentEvent, encode_event
from schemas.membership import SegmentMembership, SegmentMembershipChange
from schemas.topics import TopicNames

PARTITION = 0


class Simulated:
    """Hears events and lets time pass, a transaction each; keeps what is published, tombstones apart."""

    def __init__(self, folder: Path, limits: TimeLimits) -> None:
        self.store = StateStore(folder / "state", block_cache_bytes=8 << 20, memtable_bytes=8 << 20)
        self.table: StateTable[UserState] = StateTable(self.store, user_codec(limits))
        self.told: list[bytes] = []  # changes, encoded
        self.shown: list[bytes] = []  # rows, encoded
        self.tombstones = 0
        self._names = TopicNames("")
        self._processor = Membership(self._names, limits, self.table, SystemClock())
        self._offset = 0

    def hear(self, events: Sequence[SegmentEvent]) -> None:
        """Process events as one batch."""
        records = [
            InputRecord(PARTITION, self._offset + number, event.aam_uuid.encode(), encode_event(event), None, 0)
            for number, event in enumerate(events)
        ]
        self._offset += len(records)
        self._publish(self._processor.process(records))

    def copy(self, aam_uuid: str, others: Iterable[str]) -> None:
        """Store of other users what is stored of one, as if they had been heard of alike."""
        key = data_key(PARTITION, aam_uuid.encode())
        (raw,) = self.store.get_many([key])
        assert raw is not None
        due_ms = self.table.codec.summary(raw).due_ms
        writes = Writes()
        for other in others:
            entry = data_key(PARTITION, other.encode())
            writes.put(entry, raw)
            writes.arm(Timer(due_ms, entry))
        self.store.write(writes)

    def pass_time(self, now_ms: int) -> int:
        """Let timers fire until none is due; return how many changes followed."""
        before = len(self.told)
        while True:
            self._publish(self._processor.punctuate(now_ms, [PARTITION]))
            if next(iter(self.store.due(PARTITION, now_ms)), None) is None:
                return len(self.told) - before

    def changes(self) -> list[SegmentMembershipChange]:
        return [decode_change(value) for value in self.told]

    def rows(self) -> list[SegmentMembership]:
        return [decode_membership(value) for value in self.shown]

    def users(self) -> int:
        """Return how many users have state."""
        return sum(1 for _ in self.store.scan(PARTITION))

    def close(self) -> None:
        self.store.close()

    def _publish(self, outputs: Iterable[OutputRecord]) -> None:
        for output in outputs:
            if output.topic == self._names.segment_membership_changes:
                self.told.append(output.value or b"")
            elif output.topic == self._names.segment_membership:
                if output.value is None:
                    self.tombstones += 1
                else:
                    self.shown.append(output.value)
        for _ in self.table.changelog():
            pass
        self.store.write(self.table.commit())
        self.table.drop()
