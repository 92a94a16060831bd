"""The processor of a destination without Kafka: a store in memory or on disk, a partner that is a function."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from runtime.processor import InputRecord, OutputRecord
from runtime.state.store import StateStore, Timer, data_key
from runtime.state.table import NO_TIMER, Census, StateTable
from schemas.avro_codec import encode_key, encode_membership
from schemas.membership import SegmentMembership
from schemas.post_reading import parse_post
from schemas.topics import TopicNames
from sinks.outbound.dispatch import Dispatcher
from sinks.outbound.mapping import Schedule, Window
from sinks.outbound.message import Head
from sinks.outbound.processor import OUTBOUND_CODEC, Outbound, Plan
from sinks.outbound.records import Records
from sinks.outbound.rules import Mode
from sinks.outbound.sender import Sender
from sinks.outbound.state import UserState
from tests.support.loop import Clock
from tests.support.outbound import DPID, NOW_MS, key_of
from tests.support.partners import FakePartner

NAMES = TopicNames("eu-")
PARTITION = 2


class Entries:
    def __init__(self) -> None:
        self.entries: dict[bytes, bytes | None] = {}
        self.timers: set[tuple[int, bytes]] = set()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.entries.get(key) for key in keys]

    def due(self, _partition: int, now_ms: int) -> Iterator[Timer]:
        yield from (Timer(due_ms, key) for due_ms, key in sorted(self.timers) if due_ms <= now_ms)


class NothingAsked:
    def read(self, _positions: Mapping[int, int]) -> list[InputRecord]:
        return []


class Host:
    """The processor over a table, in memory where no `store` is given; offsets go on across batches."""

    def __init__(self, mode: Mode = "realtime", store: StateStore | None = None) -> None:
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.clock.at_s = NOW_MS / 1000
        self.partner = FakePartner()
        self.store = Entries()
        self.disk = store
        self.table: StateTable[UserState] = StateTable(store or cast("Any", self.store), OUTBOUND_CODEC)
        self.table.census[PARTITION] = Census()
        sender = Sender(self.partner, 4, 30)
        dispatcher = Dispatcher("p", Head("c", "d", DPID), 10, sender, self.runner.run, self.clock)
        schedule = Schedule([Window("1", "one"), Window("2", "2")])
        records = Records(NAMES, "p", DPID)
        plan = Plan(schedule, DPID, mode)
        self.processor = Outbound(plan, self.table, dispatcher, records, NothingAsked(), self.clock)
        self.offset = 0

    def records(self, *said: SegmentMembership | tuple[bytes | None, bytes | None]) -> list[InputRecord]:
        made = []
        for each in said:
            key, value = each if isinstance(each, tuple) else (encode_key(key_of(each)), encode_membership(each))
            made.append(InputRecord(PARTITION, self.offset, key, value, None, self.clock.now_ms()))
            self.offset += 1
        return made

    def process(self, *said: SegmentMembership | tuple[bytes | None, bytes | None]) -> list[OutputRecord]:
        return list(self.processor.process(self.records(*said)))

    def commit(self) -> None:
        records = list(self.table.changelog())
        if self.disk is not None:
            self.disk.write(self.table.commit())
        for record in records:
            key = data_key(record.partition, record.key)
            self.store.entries[key] = record.value
            self.store.timers = {timer for timer in self.store.timers if timer[1] != key}
            due_ms = NO_TIMER if record.value is None else OUTBOUND_CODEC.summary(record.value).due_ms
            if due_ms < NO_TIMER:
                self.store.timers.add((due_ms, key))
        self.table.drop()
        self.processor.committed()

    def abort(self) -> None:
        self.table.drop()
        self.processor.aborted()

    def statuses(self) -> list[dict[str, str]]:
        """Return what the partner was sent, message by message: statuses by segment, of each user the same here."""
        return [{s.segment_id: s.status for s in parse_post(body).users[0].segments} for body in self.partner.bodies]
