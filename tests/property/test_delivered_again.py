"""Whatever is asked for again, in whatever order: an older state never follows a newer one, and all is delivered."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, cast

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from runtime.processor import Backpressure, InputRecord
from runtime.state.store import Timer, data_key
from runtime.state.table import StateTable
from schemas.avro_codec import encode_key, encode_membership
from schemas.event import Status
from schemas.post_reading import parse_post
from schemas.requests import BACKFILL, REDRIVE, Backfill, encode_request, request_headers
from schemas.topics import TopicNames
from sinks.breaker import BreakerLimits
from sinks.outbound.dispatch import Dispatcher
from sinks.outbound.mapping import Schedule, Window
from sinks.outbound.message import Head
from sinks.outbound.processor import OUTBOUND_CODEC, Outbound, Plan
from sinks.outbound.records import Records
from sinks.outbound.sender import Sender
from sinks.outbound.state import UserState
from sinks.outbound.verdict import Answer
from tests.support.loop import Clock
from tests.support.outbound import DPID, NOW_MS, key_of, row
from tests.support.partners import FakePartner, answer

PARTITION = 2
USERS = ("1", "2", "3")
SEGMENTS = ("1", "2")

Said = tuple[str, str]


class Entries:
    def __init__(self) -> None:
        self.entries: dict[bytes, bytes | None] = {}

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        return [self.entries.get(key) for key in keys]

    def scan(self, partition: int, after: bytes) -> Iterator[tuple[bytes, bytes]]:
        begin = data_key(partition, after + b"\0")
        yield from [(key, raw) for key, raw in sorted(self.entries.items()) if raw is not None and key >= begin]

    def due(self, _partition: int, _now_ms: int) -> Iterator[Timer]:
        yield from ()


class Requests:
    def __init__(self) -> None:
        self.records: list[InputRecord] = []

    def read(self, positions: Mapping[int, int]) -> list[InputRecord]:
        return self.records[positions[PARTITION] :]


class Destination(RuleBasedStateMachine):
    """One destination; its partner keeps what the last `DateTime` said, as any receiver does."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.clock.at_s = NOW_MS / 1000
        self.partner = FakePartner(self._answer)
        self.is_up = True
        self.held: dict[Said, tuple[int, bool]] = {}
        self.sent_since: set[str] = set()
        self.aborted = False
        self.store, self.requests = Entries(), Requests()
        table: StateTable[UserState] = StateTable(cast("Any", self.store), OUTBOUND_CODEC)
        dispatcher = Dispatcher(
            "p", Head("c", "d", DPID), 2, Sender(self.partner, 2, 30), self.runner.run, self.clock,
            BreakerLimits(retry_s=0.0, open_s=0.0),
        )  # fmt: skip
        plan = Plan(Schedule([Window(segment, segment) for segment in SEGMENTS]), DPID, "realtime")
        records = Records(TopicNames(), "p", DPID)
        self.table = table
        self.processor = Outbound(plan, table, dispatcher, records, self.requests, self.clock)
        self.log: list[InputRecord] = []
        self.next = self.committed = 0
        self.truth: dict[Said, Status] = {}

    def teardown(self) -> None:
        self.runner.close()

    @rule(user=st.sampled_from(USERS), segment=st.sampled_from(SEGMENTS), active=st.booleans())
    def row_comes(self, user: str, segment: str, active: bool) -> None:
        self.clock.at_s += 2
        status: Status = "ACTIVE" if active else "INACTIVE"
        said = row(segment, len(self.log), status, self.clock.now_ms(), aam_uuid=user)
        key, value = encode_key(key_of(said)), encode_membership(said)
        self.log.append(InputRecord(PARTITION, len(self.log), key, value, None, self.clock.now_ms()))
        self.truth[user, segment] = status

    @rule()
    def rows_are_processed(self) -> None:
        self.clock.at_s += 1
        try:
            self.processor.process(self.log[self.next :])
        except Backpressure:
            return
        self.next = len(self.log)

    @rule(user=st.sampled_from(USERS))
    def letter_is_redriven(self, user: str) -> None:
        self._ask(request_headers("p", REDRIVE), None, user.encode())

    @rule(segments=st.sets(st.sampled_from(SEGMENTS)))
    def backfill_is_asked_for(self, segments: set[str]) -> None:
        backfill = Backfill(str(len(self.requests.records)), self.clock.now_ms(), sorted(segments))
        self._ask(request_headers("p", BACKFILL), encode_request(backfill), None)

    @rule()
    def turn_comes(self) -> None:
        self.clock.at_s += 1
        self.processor.punctuate(self.clock.now_ms(), [PARTITION])

    @rule()
    def transaction_is_committed(self) -> None:
        for record in list(self.table.changelog()):
            self.store.entries[data_key(record.partition, record.key)] = record.value
        self.table.drop()
        self.processor.committed()
        self.committed = self.next

    @rule()
    def transaction_is_aborted(self) -> None:
        self.table.drop()
        self.processor.aborted()
        self.next, self.aborted = self.committed, True

    @rule(up=st.booleans())
    def partner_comes_and_goes(self, up: bool) -> None:
        self.is_up = up

    @precondition(lambda self: bool(self.truth))
    @rule()
    def everything_calms_down(self) -> None:
        """The partner is asked for everything once more, and then holds what is true."""
        self.is_up = True
        self.backfill_is_asked_for(set())
        for _ in range(4):
            self.rows_are_processed()
            self.turn_comes()
            self.transaction_is_committed()
        assert self.next == len(self.log)
        self.sent_since.clear()
        self.backfill_is_asked_for(set())
        for _ in range(3):
            self.turn_comes()
            self.transaction_is_committed()
        assert self.sent_since == {user for user, _ in self.truth}
        assert {said: active for said, (_, active) in self.held.items()} == {
            said: status == "ACTIVE" for said, status in self.truth.items()
        }

    @invariant()
    def the_breaker_never_waits_for_long(self) -> None:
        self.clock.at_s += 0.001

    def _ask(self, headers: list[tuple[str, bytes]], value: bytes | None, key: bytes | None) -> None:
        said: Any = headers
        self.requests.records.append(InputRecord(PARTITION, len(self.requests.records), key, value, said, 0))

    def _answer(self, body: bytes) -> Answer:
        if not self.is_up:
            return answer(None)
        for user in parse_post(body).users:
            self.sent_since.add(user.aam_uuid)
            for segment in user.segments:
                said, active = (user.aam_uuid, segment.segment_id), segment.status == "ACTIVE"
                at_ms, was = self.held.get(said, (-1, False))
                # After an abort the last batch may come again before what was sent with it.
                assert self.aborted or segment.verified_at >= at_ms, f"{said}: {segment} after {at_ms}"
                if (segment.verified_at, not active) > (at_ms, not was) or at_ms < 0:
                    self.held[said] = (segment.verified_at, active)
        return answer()


TestDestination = Destination.TestCase
TestDestination.settings = settings(max_examples=60, stateful_step_count=30)
