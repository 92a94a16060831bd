"""How the processor hosts the rules: what it reads, writes, skips, sets aside; the store is a dictionary here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

import pytest

from processors.membership import Membership, user_codec
from processors.rules.departure import expire
from processors.rules.expiry import TimeLimits
from processors.rules.membership import apply_event, apply_heard
from processors.rules.state import UserState
from processors.rules.story import Story
from runtime.errors import InvariantError, SegwireError
from runtime.processor import InputRecord, OutputRecord, TimerFailed
from runtime.state.store import Timer, data_key, split_data_key
from runtime.state.table import ChangelogRecord, StateTable
from schemas.avro_codec import decode_change, decode_key, decode_membership
from schemas.event import Origin, SegmentEvent, encode_event
from schemas.heard import Heard
from schemas.membership import SegmentMembership, SegmentMembershipKey
from schemas.privacy import PrivacyRequest, decode_identity, encode_privacy_request
from schemas.topics import TopicNames
from tests.support.events import CLIENT, DESTINATION, SEGMENT, USER, active, at, event, inactive, partner
from tests.support.loop import Clock

NAMES = TopicNames("eu-")
LIMITS = TimeLimits(default_ttl_days=1, inactivity_days=1000)
PUBLISHED = {NAMES.segment_membership, NAMES.segment_membership_changes, NAMES.dead_letters}


class Entries:
    """In the place of the store: entries and timers in memory."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes | None] = {}
        self.timers: set[tuple[int, bytes]] = set()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.entries.get(key) for key in keys]

    def due(self, partition: int, now_ms: int) -> Iterator[Timer]:
        for due_ms, key in sorted(self.timers):
            if split_data_key(key)[0] == partition and due_ms <= now_ms:
                yield Timer(due_ms, key)


def _record(told: SegmentEvent | bytes, offset: int, partition: int = 3) -> InputRecord:
    value = told if isinstance(told, bytes) else encode_event(told)
    return InputRecord(partition, offset, USER.encode(), value, None, at(0))


def removal(requested_at: int) -> bytes:
    return encode_privacy_request(PrivacyRequest(aam_uuid=USER, requested_at=requested_at, request_id="r"))


def failing_for(uuid: str, error: Exception) -> Callable[..., None]:
    def expire_or_fail(story: Story, now_ms: int, limits: TimeLimits) -> None:
        expire(story, now_ms, limits)
        if story.aam_uuid == uuid:  # after it has changed the user
            raise error

    return expire_or_fail


def test_a_user_whose_timer_fails_is_left_out_alone_and_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    bad, good = "1" * 38, "2" * 38
    for offset, uuid in enumerate((bad, good)):
        host.process(event(active(at(1)), received_at=at(1), aam_uuid=uuid), offset=offset)
    host.commit()
    due_ms = at(5)
    monkeypatch.setattr("processors.membership.expire", failing_for(bad, ValueError("a secret")))
    with pytest.raises(TimerFailed, match=r"a timer of partition 3 failed \(ValueError\)"):
        host.punctuate(due_ms, 3)
    host.table.drop()
    outputs = host.punctuate(due_ms, 3)
    assert {decode_membership(o.value or b"").aam_uuid for o in outputs if o.topic == NAMES.segment_membership} == {
        good
    }
    host.commit()
    assert host.punctuate(due_ms + 1, 3) == []
    # A later release, or only a later time: the exit is told then, and nothing was lost.
    monkeypatch.undo()
    assert host.punctuate(due_ms + 599_999, 3) == []
    told = rows_among(host.punctuate(due_ms + 600_000, 3))
    assert [(row.aam_uuid, row.status) for row in told] == [(bad, "INACTIVE")]


def rows_among(outputs: Iterable[OutputRecord]) -> list[SegmentMembership]:
    return [decode_membership(each.value or b"") for each in outputs if each.topic == NAMES.segment_membership]


def test_where_every_timer_fails_the_service_stops_and_so_it_does_for_a_broken_invariant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Host()
    for offset in range(21):
        host.process(event(active(at(1)), received_at=at(1), aam_uuid=f"{offset:038d}"), offset=offset)
    host.commit()

    def fail(*_: object) -> None:
        raise ValueError("a secret")

    monkeypatch.setattr("processors.membership.expire", fail)
    for _ in range(20):
        with pytest.raises(TimerFailed):
            host.punctuate(at(5), 3)
        host.table.drop()
    with pytest.raises(SegwireError, match="timers of more than 20 entries fail"):
        host.punctuate(at(5), 3)
    other = Host()
    other.process(event(active(at(1)), received_at=at(1)))
    other.commit()
    broken = InvariantError("I4", "a version did not rise")
    monkeypatch.setattr("processors.membership.expire", failing_for(USER, broken))
    with pytest.raises(InvariantError):
        other.punctuate(at(5), 3)


class Host:
    """The processor over a table in memory."""

    def __init__(self, *segments: str) -> None:
        self.store = Entries()
        self.table: StateTable[UserState] = StateTable(cast("Any", self.store), user_codec(LIMITS, segments))
        self.clock = Clock()
        self.processor = Membership(NAMES, LIMITS, self.table, self.clock)

    def process(self, *told: SegmentEvent | bytes, offset: int = 0, partition: int = 3) -> list[OutputRecord]:
        records = [_record(one, offset + number, partition) for number, one in enumerate(told)]
        return self._published(self.processor.process(records))

    def punctuate(self, now_ms: int, *partitions: int) -> list[OutputRecord]:
        return self._published(self.processor.punctuate(now_ms, partitions))

    def commit(self) -> list[ChangelogRecord]:
        """Store what was changed, as a commit does."""
        written = list(self.table.changelog())
        self.table.load([data_key(record.partition, record.key) for record in written])
        for record in written:
            key = data_key(record.partition, record.key)
            self.store.entries[key] = record.value
            user = self.table[key]
            self.store.timers = {timer for timer in self.store.timers if timer[1] != key} | {(user.due_at, key)}
        self.table.drop()
        return written

    @staticmethod
    def _published(outputs: Iterable[OutputRecord]) -> list[OutputRecord]:
        return [output for output in outputs if output.topic in PUBLISHED]


def test_an_event_publishes_the_change_and_the_row_in_the_partition_of_the_event() -> None:
    change, row = Host().process(event(active(at(0)), received_at=at(0)))
    assert (change.topic, change.partition, change.key) == ("eu-segment-membership-changes", 3, USER.encode())
    assert (row.topic, row.partition) == ("eu-segment-membership", 3)
    assert decode_key(row.key or b"") == SegmentMembershipKey(CLIENT, DESTINATION, USER, SEGMENT)
    assert decode_membership(row.value or b"").status == decode_change(change.value or b"").status == "ACTIVE"


def test_a_repeat_is_neither_published_nor_stored() -> None:
    host = Host()
    told = event(active(at(0)), received_at=at(0))
    host.process(told)
    assert len(host.commit()) == 1
    assert host.process(told, offset=1) == []
    assert host.commit() == []


def test_what_is_read_again_from_an_offset_that_was_applied_is_skipped() -> None:
    host = Host()
    host.process(event(active(at(0)), received_at=at(0, 2)), offset=5)
    host.commit()
    again = event(inactive(at(0, 1)), received_at=at(0, 1))
    assert host.process(again, offset=5) == []
    assert len(host.process(again, offset=6)) == 2


def test_what_is_newer_is_heard_at_a_lower_offset_as_the_topic_was_made_anew() -> None:
    host = Host()
    host.process(event(active(at(0)), received_at=at(0)), offset=5)
    host.commit()
    assert len(host.process(event(inactive(at(0, 1)), received_at=at(0, 2)), offset=0)) == 2
    assert len(host.process(event(active(at(0, 3)), received_at=at(0, 3)), offset=1)) == 2


def test_events_of_one_batch_build_on_each_other() -> None:
    outputs = Host().process(
        event(active(at(0)), received_at=at(0, 2)), event(inactive(at(0, 1)), received_at=at(0, 2))
    )
    changes = [decode_change(o.value or b"").change for o in outputs if o.topic == NAMES.segment_membership_changes]
    assert changes == ["ENTERED", "EXITED"]


def test_what_was_changed_goes_to_the_changelog_once_with_the_last_input_offset() -> None:
    host = Host()
    host.process(event(active(at(0)), received_at=at(0)), event(inactive(at(0, 1)), received_at=at(0, 2)), offset=7)
    ((partition, key, value),) = host.commit()
    assert (partition, key) == (3, USER.encode())
    assert user_codec(LIMITS).summary(value or b"").offset == 8


def test_a_dropped_overlay_is_forgotten_and_the_same_event_tells_the_same_again() -> None:
    host = Host()
    told = event(active(at(0)), received_at=at(0))
    first = host.process(told)
    host.table.drop()
    assert host.process(told) == first


@pytest.mark.parametrize("value", [b"", b"no event", b"\xff", b'{"kind":"segments"}', b"[" * 100_000, b"{}"])
def test_what_is_no_event_is_set_aside_and_the_rest_goes_on(value: bytes) -> None:
    letter, change, row = Host().process(value, event(active(at(0)), received_at=at(0)), offset=40)
    said = dict(letter.headers or [])
    assert (letter.topic, letter.value, letter.key) == ("eu-dead-letters", value, USER.encode())
    assert (said["stage"], said["error"]) == (b"membership", b"malformed-event")
    assert (said["topic"], said["partition"], said["offset"]) == (b"eu-segment-events", b"3", b"40")
    assert (change.topic, row.topic) == (NAMES.segment_membership_changes, NAMES.segment_membership)


def test_an_event_of_a_kind_that_is_not_known_is_passed_over() -> None:
    assert Host().process(b'{"kind":"of-the-future","anything":1}') == []


def test_a_timer_ends_a_membership_of_its_partition_and_no_other() -> None:
    host = Host()
    host.process(event(active(at(0)), received_at=at(0)), partition=3)
    host.process(event(active(at(0)), received_at=at(0)), partition=4)
    host.commit()
    assert host.punctuate(at(2) - 1, 3, 4) == []
    change, _ = host.punctuate(at(2), 3)
    assert (change.partition, decode_change(change.value or b"").cause) == (3, "EXPIRED")


def test_a_timer_of_a_refreshed_membership_says_nothing_but_is_stored_for_later() -> None:
    host = Host()
    host.process(event(active(at(0)), received_at=at(0)), event(active(at(1)), received_at=at(1)))
    host.commit()
    assert host.punctuate(at(2), 3) == []
    assert host.table.pending()
    host.commit()
    assert [due_ms for due_ms, _ in host.store.timers] == [at(3)]


#   2100 refreshed users are due first | one expiry, due last
def test_timers_that_say_nothing_do_not_keep_others_from_their_turn() -> None:
    host = Host()
    for number in range(2100):
        for of_day, verified_at in enumerate((at(0), at(9))):
            told = event(active(verified_at), received_at=at(of_day), aam_uuid=f"{number:04d}")
            host.process(told, offset=number * 2 + of_day)
    host.process(event(active(at(1)), received_at=at(1)), offset=9000)
    host.commit()
    turns = []
    for _ in range(3):
        turns.append(len(host.punctuate(at(5), 3)))
        if host.table.pending():  # what the loop asks before it commits
            host.commit()
    assert turns == [0, 2, 0]


def test_new_and_lost_partner_ids_are_told_to_the_processor_that_finds_users_by_them() -> None:
    host = Host()
    records = [_record(event(received_at=at(0), partner=partner("c", 1)), 0), _record(removal(at(1)), 1)]
    told = [output for output in host.processor.process(records) if output.topic == NAMES.identity]
    assert [output.key for output in told] == [b"1|c", b"1|c"]
    said = [decode_identity(output.value or b"") for output in told]
    assert [(one.kind, one.aam_uuid, one.at) for one in said] == [("synced", USER, at(0)), ("unsynced", USER, at(1))]


def test_a_repeat_tells_nothing_of_partner_ids() -> None:
    host = Host()
    seen = [_record(event(received_at=at(0), partner=partner("c", 1)), offset) for offset in range(2)]
    assert len([output for output in host.processor.process(seen) if output.topic == NAMES.identity]) == 1


def test_a_removal_names_its_own_record_and_later_deletes_the_rows() -> None:
    host = Host()
    outputs = host.process(event(active(at(0)), received_at=at(0)), removal(at(0, 1)))
    assert decode_change(outputs[2].value or b"").origin == Origin("eu-segment-events", 3, 1, 0)
    host.commit()
    (tombstone,) = host.punctuate(at(8), 3)
    assert (tombstone.topic, tombstone.value) == ("eu-segment-membership", None)
    assert decode_key(tombstone.key or b"") == SegmentMembershipKey(CLIENT, DESTINATION, USER, SEGMENT)


def test_a_version_that_does_not_rise_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    host.process(event(active(at(0)), received_at=at(0)))
    monkeypatch.setattr(UserState, "next_version", lambda user, _at_ms: user.version)
    with pytest.raises(InvariantError, match="I4 is broken: partition 3: a version"):
        host.process(event(inactive(at(0, 1)), received_at=at(0, 2)), offset=1)


def test_a_membership_from_before_a_removal_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    host.process(removal(at(1)))
    late = event(active(at(0, 1)), received_at=at(2))
    assert host.process(late, offset=1) == []
    monkeypatch.setattr("processors.membership.apply_heard", _without_memory_of_removals)
    with pytest.raises(InvariantError, match="I5 is broken: partition 3: a membership verified at"):
        host.process(late, offset=2)


def _without_memory_of_removals(user: UserState, event: Heard, limits: TimeLimits) -> Story:
    removed_at, user.removed_at = user.removed_at, 0
    story = apply_heard(user, event, limits)
    user.removed_at = removed_at
    return story


def test_a_users_entry_is_deleted_when_nothing_is_left_to_be_kept() -> None:
    host = Host()
    host.process(removal(at(0)))
    host.commit()
    host.punctuate(at(31), 3)
    assert [record.value for record in host.commit()] == [None]


def test_a_state_stored_under_other_limits_is_due_by_those_of_now() -> None:
    before, now = user_codec(TimeLimits(default_ttl_days=120)), user_codec(LIMITS)
    user = before.new()
    apply_event(user, event(active(at(0)), received_at=at(0)), TimeLimits(default_ttl_days=120))
    stored = before.encode(user)
    assert before.summary(stored).due_ms == before.due_ms(before.decode(stored)) == at(121)
    assert now.summary(stored).due_ms == now.due_ms(now.decode(stored)) == at(2)
    assert now.summary(now.encode(now.decode(stored))) == now.summary(stored)


def test_a_summary_counts_what_is_active() -> None:
    codec = user_codec(LIMITS)
    user = codec.new()
    said = [active(at(0), "1"), active(at(0), "2"), inactive(at(0), "3")]
    apply_event(user, event(*said, received_at=at(0)), LIMITS)
    assert codec.summary(codec.encode(user)).active == codec.active(user) == 2
    apply_event(user, event(inactive(at(0, 1), "1"), received_at=at(0, 2)), LIMITS)
    assert codec.summary(codec.encode(user)).active == 1


def test_many_records_at_once_are_what_they_are_one_by_one() -> None:
    told = [
        event(active(at(0) + n, f"{n % 7}"), inactive(at(0) + n, f"{n % 5}"), received_at=at(0) + n) for n in range(450)
    ]
    one_by_one = Host()
    expected = [output for n, one in enumerate(told) for output in one_by_one.process(one, offset=n)]
    assert Host().process(*told) == expected


def test_who_enters_and_leaves_a_configured_segment_is_counted_by_events_and_timers_alike() -> None:
    host = Host("7")
    told = [active(at(0), "7"), active(at(0), "8")]
    host.process(event(*told, received_at=at(0)), event(inactive(at(0, 1), "7"), received_at=at(0, 1)))
    host.process(event(active(at(0, 2), "7"), received_at=at(0, 2)), offset=2)
    host.table.commit()
    assert host.table.counts().groups == {"7": 1}
    host.commit()
    host.punctuate(at(2), 3)
    host.table.commit()
    assert host.table.counts().groups == {"7": 0}


def test_what_was_received_is_noted_once_for_each_event_that_is_processed() -> None:
    host = Host()
    told = event(active(at(0)), received_at=at(0))
    host.process(told, removal(at(1)), b"no event", told, offset=4)
    assert host.processor._received == [at(0), at(0)]
    host.processor.aborted()
    assert host.processor._received == []


@pytest.mark.parametrize(
    ("value", "said"),
    [(b"\xfe", "version fe, this release knows"), (b"\x02nonsense", "the local state cannot be read")],
)
def test_state_that_cannot_be_read_is_no_fault_of_the_record_and_ends_the_service(value: bytes, said: str) -> None:
    host = Host()
    host.store.entries[data_key(3, USER.encode())] = value
    with pytest.raises(SegwireError, match=said):
        host.process(event(active(at(0)), received_at=at(0)))


def test_a_store_that_fails_is_no_fault_of_the_record_either(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()

    def fail(_: Sequence[bytes]) -> list[bytes | None]:
        raise Exception("IO error: no such device")  # noqa: TRY002 - what the store's library raises

    monkeypatch.setattr(host.store, "get_many", fail)
    with pytest.raises(SegwireError, match="no such device"):
        host.process(event(active(at(0)), received_at=at(0)))
