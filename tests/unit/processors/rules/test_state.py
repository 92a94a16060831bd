import pytest

from processors.rules.state import (
    NEVER,
    VERSION,
    Destination,
    Membership,
    StateVersionError,
    UserState,
    decode_state,
    encode_state,
)
from schemas.event import Origin, Partner
from tests.support.events import DAY_0

STATE = UserState(
    offset=41,
    version=DAY_0,
    seen_day=20_000,
    due_at=NEVER,
    removed_at=0,
    destinations=[Destination("74323", "423", {"14356": Membership(DAY_0, True, DAY_0, 0, 3, 1234, 1)})],
    partners=[Partner("4250948725049857", 12345), Partner("a|b", None)],
    regions=[9],
    topics=["aam-posts"],
)
STORED = bytes.fromhex(
    "019929cf0000019254d38000cd4e20cf4000000000000000009193a53734333233a334323381a53134333536"
    "97cf0000019254d38000c3cf0000019254d380000003cd04d201"
    "9282a475756964b034323530393438373235303439383537a464706964cd303982a475756964a3617c62a464706964c0"
    "910991a961616d2d706f737473"
)
"""What this release wrote of `STATE`."""


def test_a_state_comes_back_as_it_was() -> None:
    assert decode_state(encode_state(STATE)) == STATE


def test_what_was_stored_before_is_still_read() -> None:
    assert decode_state(STORED) == STATE


def test_a_new_user_has_nothing_due_and_nothing_behind() -> None:
    new = decode_state(encode_state(UserState()))
    assert (new.offset, new.version, new.due_at, new.removed_at, new.destinations) == (-1, 0, NEVER, 0, [])


def test_states_do_not_share_their_lists() -> None:
    UserState().destination("74323", "423")
    assert UserState().destinations == []


def test_a_state_begins_with_its_version() -> None:
    assert encode_state(STATE)[:1] == VERSION == b"\x01"


@pytest.mark.parametrize(("stored", "version"), [(b"\x02\x90", "02"), (b"\x00", "00"), (b"", "none")])
def test_a_state_of_a_newer_release_is_refused_with_what_to_do(stored: bytes, version: str) -> None:
    with pytest.raises(StateVersionError) as refused:
        decode_state(stored)
    assert str(refused.value) == (
        f"stored state has version {version}, this release knows 01; run the release that wrote it, or a newer one"
    )


def test_destinations_are_told_apart_by_client_and_by_destination() -> None:
    user = UserState()
    first = user.destination("1", "2")
    assert user.destination("1", "2") is first
    assert user.destination("1", "3") is not first
    assert user.destination("2", "2") is not first
    assert len(user.destinations) == 3


def test_versions_rise_by_at_least_one_and_follow_the_time() -> None:
    user = UserState()
    assert [user.next_version(at_ms) for at_ms in (100, 100, 90, 5000, 0)] == [100, 101, 102, 5000, 5001]


def test_the_record_that_set_a_membership_is_remembered_by_topic_partition_offset_and_position() -> None:
    user = UserState()
    membership = user.destination("1", "2").segments["3"] = Membership(0, False, 0, 0, 0, 0, 0)
    other = Membership(0, False, 0, 0, 0, 0, 0)
    user.set_origin(other, Origin("old-posts", 1, 2, 3))
    user.set_origin(membership, Origin("aam-posts", 4, 5, 6))
    user.set_origin(membership, Origin("aam-posts", 7, 8, 9))
    assert user.origin_of(membership) == Origin("aam-posts", 7, 8, 9)
    assert user.origin_of(other) == Origin("old-posts", 1, 2, 3)
    assert user.topics == ["old-posts", "aam-posts"]
