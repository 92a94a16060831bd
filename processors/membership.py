"""Membership: events and timers in; rows, changes and dead letters out."""

import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Final, Literal

import msgspec

from processors.audience import Audience
from processors.published import UserRecords
from processors.rules.departure import expire, next_due
from processors.rules.expiry import TimeLimits
from processors.rules.membership import apply_heard
from processors.rules.privacy import apply_privacy
from processors.rules.state import UserState
from processors.rules.state_codec import decode_state, decode_summary, encode_state
from processors.rules.story import Story, Told
from processors.visibility import Visibility
from runtime import metrics
from runtime.clock import Clock
from runtime.dead_letters import dead_letter
from runtime.errors import InvariantError, SegwireError
from runtime.processor import InputRecord, OutputRecord
from runtime.state.keys import data_key, split_data_key
from runtime.state.store import Timer
from runtime.state.table import Codec, Groups, StateTable, Summary
from runtime.timers_aside import TimersAside
from schemas import headers
from schemas.avro_codec import encode_key
from schemas.avro_rows import MembershipEncoder
from schemas.event import Origin, Partner
from schemas.heard import Heard
from schemas.heard_reading import HeardReader
from schemas.membership import SegmentMembershipKey
from schemas.privacy import IdentityRecord, PrivacyRequest, encode_identity, identity_key
from schemas.topics import TopicNames

STAGE: Final = "membership"
_TIMERS_PER_TURN: Final = 2_000
# What is decoded and what follows from it stay in the processor's cache.
_RECORDS_AT_A_TIME: Final = 200


def _time_of(event: Heard | PrivacyRequest) -> int:
    return event.received_at if isinstance(event, Heard) else event.requested_at


def user_codec(limits: TimeLimits, segments: Collection[str] = ()) -> Codec[UserState]:
    """Return how users are stored, and when they are due by `limits`; memberships are counted by each of `segments`."""
    rules = zlib.crc32(limits.fingerprint().encode())

    def decode(raw: bytes) -> UserState:
        user = decode_state(raw)
        if user.rules != rules:  # stored under other limits: what is there already lives by those of now
            user.due_at, user.rules = next_due(user, limits), rules
        return user

    def summary(raw: bytes) -> Summary:
        head = decode_summary(raw)
        due_at = head.due_at if head.rules == rules else decode(raw).due_at
        return Summary(head.offset, due_at, head.active)

    return Codec(
        encode=encode_state,
        decode=decode,
        new=lambda: UserState(rules=rules),
        due_ms=lambda user: user.due_at,
        active=lambda user: user.active,
        blank=lambda user: user.blank,
        summary=summary,
        rules=limits.fingerprint(),
        groups=_groups(frozenset(segments)),
    )


def _groups(segments: frozenset[str]) -> Groups | None:
    def of(raw: bytes) -> list[str]:
        return [
            segment_id
            for destination in decode_state(raw).destinations
            for segment_id, stamped in zip(destination.segment_ids, destination.stamps, strict=True)
            if stamped & 1 and segment_id in segments
        ]

    return Groups(segments, of) if segments else None


class Membership:
    """Hosts the rules of membership over a table of users."""

    def __init__(
        self, names: TopicNames, limits: TimeLimits, table: StateTable[UserState], clock: Clock,
        encoder: MembershipEncoder | None = None,
    ) -> None:  # fmt: skip
        """Publish to the topics of `names`, with the fixed schema IDs where `encoder` has no others.

        `clock` only tells how long it took.
        """
        self._names = names
        self._limits = limits
        self._table = table
        self._reader = HeardReader()
        self._encoder = encoder or MembershipEncoder()
        self._changes: Counter[tuple[str, str]] = Counter()
        self._dead: Counter[str] = Counter()
        self._aside = TimersAside(STAGE)
        self._audience = Audience(table)
        self._segments = self._audience.segments
        self._visibility = Visibility(clock)
        self._received: list[int] = self._visibility.received

    def process(self, records: Sequence[InputRecord]) -> Iterator[OutputRecord]:
        """Apply each event to its user."""
        for begin in range(0, len(records), _RECORDS_AT_A_TIME):
            yield from self._process(records[begin : begin + _RECORDS_AT_A_TIME])

    def _process(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        outputs: list[OutputRecord] = []
        events = [(record, self._event(record, outputs)) for record in records]
        known = [(record, event) for record, event in events if event is not None]
        keys = [data_key(record.partition, event.aam_uuid.encode()) for record, event in known]
        self._table.fold()
        self._table.load(keys)
        for key, (record, event) in zip(keys, known, strict=True):
            user = self._table[key]
            # Read again, as the group's offsets were set back; but a topic that was made anew counts from 0, too.
            if record.offset <= user.offset and _time_of(event) <= user.version:
                continue
            version = user.version
            story = self._apply(user, event, record)
            if story.stored:
                user.offset = record.offset
                self._tell(key, record.partition, story, version, outputs)
                self._tell_identities(story, _time_of(event), outputs)
        return outputs

    def _apply(self, user: UserState, event: Heard | PrivacyRequest, record: InputRecord) -> Story:
        if isinstance(event, Heard):
            self._received.append(event.received_at)
            return apply_heard(user, event, self._limits)
        origin = Origin(self._names.segment_events, record.partition, record.offset, 0)
        return apply_privacy(user, event, origin, self._limits)

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:
        """Let happen what is due; a budget keeps one turn short, the rest follows in the next."""
        self._aside.hold(partitions)
        due = list(islice(self._aside.others(self._due(now_ms, partitions), now_ms), _TIMERS_PER_TURN))
        metrics.TIMERS_DUE.labels(processor=STAGE).set(len(due))
        self._table.load([timer.key for timer in due])
        outputs: list[OutputRecord] = []
        for timer in due:
            try:
                self._fire(timer, now_ms, outputs)
            except SegwireError:
                raise
            except Exception as error:
                raise self._aside.failed(timer.key, now_ms, error) from error
        return outputs

    def _fire(self, timer: Timer, now_ms: int, outputs: list[OutputRecord]) -> None:
        self._table.fired(timer)
        user = self._table[timer.key]
        partition, key = split_data_key(timer.key)
        story, due_at, version = Story(user, key.decode()), user.due_at, user.version
        expire(story, now_ms, self._limits)
        if not story.stored and user.due_at == due_at:
            return  # refreshed since: another timer stands for it
        self._tell(timer.key, partition, story, version, outputs)
        self._tell_identities(story, now_ms, outputs)

    def committed(self) -> None:
        """Count what is now published."""
        for (change, cause), count in self._changes.items():
            metrics.MEMBERSHIP_CHANGES.labels(change=change, cause=cause).inc(count)
        for error, count in self._dead.items():
            metrics.DEAD_LETTERS.labels(stage=STAGE, error=error).inc(count)
        self._audience.committed()
        self._visibility.committed()
        self.aborted()

    def refresh_metrics(self) -> None:
        """Set the gauges of what is held; cheap enough for each exposition."""
        counts = self._table.counts()
        metrics.MEMBERSHIP_USERS.set(counts.entries)
        metrics.MEMBERSHIP_ACTIVE.set(counts.active)
        self._audience.refresh_metrics(counts)
        metrics.STATE_BYTES.labels(processor=STAGE).set(self._table.store.bytes_on_disk())

    def aborted(self) -> None:
        """Forget the counts."""
        self._changes.clear()
        self._dead.clear()
        self._audience.aborted()
        self._visibility.aborted()

    def _due(self, now_ms: int, partitions: Collection[int]) -> Iterator[Timer]:
        for partition in sorted(partitions):
            yield from self._table.store.due(partition, now_ms)

    def _event(self, record: InputRecord, outputs: list[OutputRecord]) -> Heard | PrivacyRequest | None:
        """Decode a record; what is not an event goes to the dead letters, another kind of event is passed over."""
        try:
            return self._reader.read(record.value or b"")
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            self._dead["malformed-event"] += 1
            outputs.append(
                dead_letter(
                    self._names.dead_letters,
                    stage=STAGE,
                    error="malformed-event",
                    reason=str(error),
                    source=headers.header_text(record.headers, headers.SOURCE),
                    key=record.key,
                    value=record.value,
                    origin=(self._names.segment_events, record.partition, record.offset),
                    original=record.headers,
                )
            )
            return None

    def _tell(
        self, key: bytes, partition: int, story: Story, version: int, outputs: list[OutputRecord]
    ) -> None:  # fmt: skip
        """Publish what is told of a user whose version was `version` before."""
        self._table.changed(key)
        if not story.told:
            return
        names, records, uuid = self._names, UserRecords(self._encoder, story.aam_uuid), story.aam_uuid.encode()
        for told in story.told:
            if isinstance(told, SegmentMembershipKey):
                outputs.append(OutputRecord(names.segment_membership, partition, encode_key(told), None))
                continue
            _hold(told, version, story.user.removed_at, partition)
            key = records.key(told)
            body = records.body(key, told)
            turn = told.turn
            if turn is not None:
                value = records.change(body, turn)
                outputs.append(OutputRecord(names.segment_membership_changes, partition, uuid, value))
                self._changes[turn.change, told.cause] += 1
                if self._segments and told.segment_id in self._segments:
                    self._audience.turned(partition, told.segment_id, turn.change, told.cause)
            if told.is_row:
                outputs.append(OutputRecord(names.segment_membership, partition, key, records.row(body)))

    def _tell_identities(self, story: Story, at_ms: int, outputs: list[OutputRecord]) -> None:
        """Say which partner IDs the user has, and no longer has, to the processor that finds users by them."""
        if not story.synced and not story.unsynced:
            return
        said: list[tuple[Literal["synced", "unsynced"], Partner]] = [("synced", partner) for partner in story.synced]
        said += [("unsynced", partner) for partner in story.unsynced]
        for kind, partner in said:
            record = IdentityRecord(
                kind=kind, dpid=partner.dpid, partner_uuid=partner.uuid, at=at_ms, aam_uuid=story.aam_uuid
            )  # fmt: skip
            key = identity_key(partner.dpid, partner.uuid)
            outputs.append(OutputRecord(self._names.identity, -1, key, encode_identity(record)))


def _hold(told: Told, version: int, removed_at: int, partition: int) -> None:
    """Stop rather than publish what no reader could mend; `version` is the user's before, `removed_at` the removal.

    Raises:
        InvariantError: a version that does not rise (I4), a membership from before the user's removal (I5).
    """
    if told.version <= version:
        raise InvariantError("I4", f"partition {partition}: a version {told.version} was to follow {version}")
    if told.verified_at <= removed_at and told.active:
        raise InvariantError(
            "I5", f"partition {partition}: a membership verified at {told.verified_at} was to outlive its user's "
            f"removal at {removed_at}"
        )  # fmt: skip
