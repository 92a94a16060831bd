"""An outbound destination as a processor: rows in; messages to the partner, receipts and dead letters out.

Messages go out before the transaction that tells of them: a crash in between sends the last batch again, with the same
`DateTime`s, which changes nothing at the receiver. Source: ADR 9.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from runtime import metrics
from runtime.clock import Clock
from runtime.errors import SegwireError
from runtime.processor import Backpressure, InputRecord, OutputRecord
from runtime.state.store import data_key, split_data_key
from runtime.state.table import Codec, StateTable, Summary
from runtime.timers_aside import TimersAside
from schemas.avro_codec import AvroDecodeError, decode_key, decode_membership
from schemas.membership import SegmentMembership, SegmentMembershipKey
from schemas.redriven import Redriven, redriven_marks
from sinks.outbound.again import Again, HandsOutRequests, Marks
from sinks.outbound.dispatch import Dispatcher
from sinks.outbound.mapping import Mapping, Schedule
from sinks.outbound.memberships import apply_row, apply_tombstone, drop_deleted, knows
from sinks.outbound.message import UserEntry
from sinks.outbound.packing import Delivery
from sinks.outbound.records import Records, Sent
from sinks.outbound.rules import Mode, batch_due_ms, decide, decide_asked, settle
from sinks.outbound.state import NEVER, UserState, copy_state, decode_state, encode_state
from sinks.redelivery import original_record

_TIMERS_PER_TURN = 500

Said = SegmentMembership | SegmentMembershipKey


def _summary(raw: bytes) -> Summary:
    user = decode_state(raw)
    return Summary(user.offset, user.due_at, user.active)


OUTBOUND_CODEC: Codec[UserState] = Codec(
    encode=encode_state,
    decode=decode_state,
    new=UserState,
    due_ms=lambda user: user.due_at,
    active=lambda user: user.active,
    blank=lambda user: user.blank,
    summary=_summary,
    rules="",
)


class Plan(NamedTuple):
    """What a destination gets, and when."""

    schedule: Schedule
    dpid: int | None
    mode: Mode


class Wish(NamedTuple):
    """What was asked for: of some segments, or of all where none is named, and of which redriven letters."""

    segments: Collection[str]
    marks: Marks


class Outbound:
    """Hosts the five rules over a table of users."""

    def __init__(
        self, plan: Plan, table: StateTable[UserState], dispatcher: Dispatcher, records: Records,
        inbox: HandsOutRequests, clock: Clock,
    ) -> None:  # fmt: skip
        """Send by `plan` through `dispatcher`; what is asked for comes in `inbox`."""
        self._plan = plan
        self._table = table
        self._dispatcher = dispatcher
        self._records = records
        self._clock = clock
        self._aside = TimersAside(records.service)
        self._again = Again(records.destination, records.requests_topic, table, inbox, self, clock)
        self._dead: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def process(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """Apply rows to their users, and send what they give reason to.

        Raises:
            Backpressure: the partner takes nothing now; nothing of these records has been done.
        """
        now_ms = self._clock.now_ms()
        mapping = self._plan.schedule.at(now_ms)
        malformed: list[OutputRecord] = []
        users = self._applied(records, malformed)
        if self._plan.mode == "batch":
            for user in users.values():
                self._put_off(user, mapping, now_ms)
            outputs = []
        else:
            outputs = self._send(users, mapping, now_ms)
            for user in users.values():
                user.due_at = NEVER
        self._keep(users)
        self._dead["malformed-row"] += len(malformed)
        return malformed + outputs

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:
        """Send what was asked for, and the batches that are due; the rest of either follows in the next turn."""
        # In real time too: it may have been the other mode until now.
        return [*self._again.turn(now_ms, partitions), *self._batches(now_ms, partitions)]

    def resend(self, keys: Collection[bytes], segments: Collection[str], marks: Marks) -> list[OutputRecord]:
        """Send users as they are now, as `DeliversAgain` says."""
        self._table.load(keys)
        users = {key: copy_state(self._table[key]) for key in keys if not self._table[key].blank}
        return self._send_asked(users, segments, marks)

    def reapply(self, records: Sequence[InputRecord]) -> list[OutputRecord]:
        """Read records that could not be read before, as `DeliversAgain` says.

        A row is only taken where it is surely not older than what is known of its membership.
        """
        outputs: list[OutputRecord] = []
        users: dict[bytes, UserState] = {}
        marks: dict[str, Sequence[Redriven]] = {}
        for record in map(original_record, records):
            said = self._read(record, outputs)
            if said is None:
                continue
            key = data_key(record.partition, said.aam_uuid.encode())
            self._table.load([key])
            user = users.setdefault(key, copy_state(self._table[key]))
            marks[said.aam_uuid] = redriven_marks(record.headers)
            if isinstance(said, SegmentMembership) and (record.offset > user.offset or knows(user, said)):
                apply_row(user, said, self._plan.dpid)
        return outputs + self._send_asked(users, (), marks)

    def _send_asked(
        self, users: dict[bytes, UserState], segments: Collection[str], marks: Marks
    ) -> list[OutputRecord]:  # fmt: skip
        now_ms = self._clock.now_ms()
        outputs = self._send(users, self._plan.schedule.at(now_ms), now_ms, Wish(segments, marks))
        self._keep(users)
        return outputs

    def _batches(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:
        self._aside.hold(partitions)
        due = (timer for partition in sorted(partitions) for timer in self._table.store.due(partition, now_ms))
        timers = list(islice(self._aside.others(due, now_ms), _TIMERS_PER_TURN))
        self._table.load(timer.key for timer in timers)
        # One that was moved in the open transaction is not due any more.
        keys = [timer.key for timer in timers if self._table[timer.key].due_at <= now_ms]
        users = {key: copy_state(self._table[key]) for key in keys}
        mapping = self._plan.schedule.at(now_ms)
        try:
            outputs = self._send(users, mapping, now_ms)
        except Backpressure:
            return ()  # They are due still, and come again with the next turn.
        except SegwireError:
            raise
        except Exception:
            self._set_aside_undecided(users, mapping, now_ms)
            raise
        for user in users.values():
            user.due_at = NEVER
        for timer in timers:
            self._table.fired(timer)
        self._keep(users)
        return outputs

    def _set_aside_undecided(self, users: dict[bytes, UserState], mapping: Mapping, now_ms: int) -> None:
        """Set the first user aside of whom nothing can be decided; it is done before anything is sent."""
        for key, user in users.items():
            try:
                list(self._deliveries({key: user}, mapping, now_ms, None))
            except Exception as error:
                raise self._aside.failed(key, now_ms, error) from error

    def committed(self) -> None:
        """Count what is now done for good."""
        for error, count in self._dead.items():
            metrics.DEAD_LETTERS.labels(stage=self._records.stage, error=error).inc(count)
        for reason, count in self._reasons.items():
            metrics.OUTBOUND_USERS.labels(sink=self._records.destination, reason=reason).inc(count)
        self._dispatcher.committed()
        self._forget()

    def aborted(self) -> None:
        """Forget the counts: the same records come again."""
        self._dispatcher.aborted()
        self._forget()

    def refresh_metrics(self) -> None:
        """Set the gauges of what is held."""
        metrics.STATE_BYTES.labels(processor=self._records.service).set(self._table.store.bytes_on_disk())

    @staticmethod
    def _put_off(user: UserState, mapping: Mapping, now_ms: int) -> None:
        news = decide(user, mapping, now_ms, "batch") is not None
        user.due_at = batch_due_ms(user, now_ms, news)
        if not news:
            drop_deleted(user)

    def _forget(self) -> None:
        self._dead.clear()
        self._reasons.clear()

    def _applied(self, records: Sequence[InputRecord], malformed: list[OutputRecord]) -> dict[bytes, UserState]:
        """Return the users of these records as they are after them: copies, since the records may have to wait."""
        read = [(record, said) for record in records if (said := self._read(record, malformed)) is not None]
        keys = [data_key(record.partition, said.aam_uuid.encode()) for record, said in read]
        self._table.load(keys)
        users: dict[bytes, UserState] = {}
        for key, (record, said) in zip(keys, read, strict=True):
            if key not in users:
                users[key] = copy_state(self._table[key])
            user = users[key]
            if record.offset <= user.offset:
                continue
            user.offset = record.offset
            if isinstance(said, SegmentMembership):
                apply_row(user, said, self._plan.dpid)
            else:
                apply_tombstone(user, said)
        return users

    def _read(self, record: InputRecord, malformed: list[OutputRecord]) -> Said | None:
        try:
            return decode_key(record.key or b"") if record.value is None else decode_membership(record.value)
        except AvroDecodeError as error:
            malformed.append(self._records.malformed(record, str(error)))
            return None

    def _send(
        self, users: dict[bytes, UserState], mapping: Mapping, now_ms: int, wish: Wish | None = None
    ) -> list[OutputRecord]:  # fmt: skip
        """Send what there is reason to, and change the users by what became of it."""
        deliveries = list(self._deliveries(users, mapping, now_ms, wish))
        done = self._dispatcher.deliver(deliveries, now_ms)
        for delivery in deliveries:
            self._reasons.update(delivery.decision.reasons)
            if not any(done[entry].parked for entry in delivery.entries()):
                settle(delivery.user, delivery.decision, mapping, now_ms)
        for user in users.values():
            drop_deleted(user)
        return list(self._told(deliveries, done, {} if wish is None else wish.marks))

    def _deliveries(
        self, users: dict[bytes, UserState], mapping: Mapping, now_ms: int, wish: Wish | None
    ) -> Iterator[Delivery]:  # fmt: skip
        mode = self._plan.mode
        for key, user in users.items():
            if wish is None:
                decision = decide(user, mapping, now_ms, mode)
            else:
                decision = decide_asked(user, mapping, now_ms, mode, wish.segments)
            if decision is not None:
                partition, uuid = split_data_key(key)
                yield Delivery(key, uuid.decode(), user, decision, (partition, user.offset))

    def _told(
        self, deliveries: Iterable[Delivery], done: dict[UserEntry, Sent], marks: Marks
    ) -> Iterator[OutputRecord]:  # fmt: skip
        parked: set[str] = set()
        for delivery in deliveries:
            partition, _ = delivery.origin
            for entry in delivery.entries():
                sent = done[entry]
                yield from self._records.receipts(partition, entry, sent)
                if sent.parked and sent.request_id not in parked:
                    parked.add(sent.request_id)
                    self._dead[sent.attempts.answers[-1].error] += 1
                    user = delivery.aam_uuid
                    yield self._records.parked(sent, user, delivery.origin, marks.get(user, ()))

    def _keep(self, users: dict[bytes, UserState]) -> None:
        for key, user in users.items():
            self._table[key].become(user)
            self._table.changed(key)
