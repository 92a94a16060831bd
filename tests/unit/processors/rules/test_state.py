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
    active=1,
    destinations=[Destination("74323", "423", {"14356": Membership(DAY_0, True, DAY_0, 0)})],
    partners=[Partner("4250948725049857", 12345), Partner("a|b", None)],
    regions=[9],
    topics=["aam-posts"],
    origins=[(0, 3, 1234, 1)],
)
STORED = bytes.fromhex(
    "019e29cf0000019254d38000cd4e20cf40000000000000000001009193a53734333233a334323381a53134333536"
    "94cf0000019254d38000c3cf0000019254d3800000"
    "9282a475756964b034323530393438373235303439383537a464706964cd303982a475756964a3617c62a464706964c0"
    "910991a961616d2d706f73747391940003cd04d20190cf4000000000000000"
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
    segments = user.destination("1", "2").segments
    other = segments["4"] = Membership(0, False, 0, user.add_origin(Origin("old-posts", 1, 2, 3)))
    membership = segments["3"] = Membership(0, False, 0, user.add_origin(Origin("aam-posts", 4, 5, 6)))
    membership.origin = user.add_origin(Origin("aam-posts", 7, 8, 9))
    for told in (user, decode_state(encode_state(user))):
        of_3, of_4 = (told.destination("1", "2").segments[name] for name in ("3", "4"))
        assert told.origin_of(of_3) == Origin("aam-posts", 7, 8, 9)
        assert told.origin_of(of_4) == Origin("old-posts", 1, 2, 3)
        assert told.topics == ["old-posts", "aam-posts"]
    assert (other.origin, membership.origin) == (0, 1)


def test_origins_that_no_membership_names_are_not_stored() -> None:
    user = UserState()
    membership = Membership(0, False, 0, 0)
    user.destination("1", "2").segments["3"] = membership
    for offset in range(50):
        membership.origin = user.add_origin(Origin("aam-posts", 4, offset, 6))
    assert decode_state(encode_state(user)).origins == [(0, 4, 49, 6)]
