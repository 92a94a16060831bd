import msgspec
import pytest

from processors.rules.state import NEVER, Destination, UserState
from processors.rules.state_codec import VERSION, StateVersionError, decode_state, decode_summary, encode_state
from schemas.event import Origin, Partner
from tests.support.events import DAY_0
from tests.support.user_state import destination, parts, user_state

STATE = user_state(
    {"offset": 41, "version": DAY_0, "seen_day": 20_000, "due_at": NEVER, "active": 1},
    destinations=[destination("74323", "423", ("14356", DAY_0, True, DAY_0, 0))],
    partners=[Partner("4250948725049857", 12345), Partner("a|b", None)],
    regions=[9],
    topics=["aam-posts"],
    origins=[(0, 3, 1234, 1)],
)
STORED_1 = bytes.fromhex(
    "019e29cf0000019254d38000cd4e20cf40000000000000000001009193a53734333233a334323381a53134333536"
    "94cf0000019254d38000c3cf0000019254d3800000"
    "9282a475756964b034323530393438373235303439383537a464706964cd303982a475756964a3617c62a464706964c0"
    "910991a961616d2d706f73747391940003cd04d20190cf4000000000000000"
)
"""What version 1 wrote of `STATE`."""
STORED_2 = bytes.fromhex(
    "029e29cf0000019254d38000cd4e20cf40000000000000000001009194a53734333233a3343233a53134333536"
    "c4140100a7a9240300000080d35492010000000000009282a475756964b0343235303934383732353034393835"
    "37a464706964cd303982a475756964a3617c62a464706964c0910991a961616d2d706f73747391940003cd04d2"
    "0190cf4000000000000000"
)
"""What version 2 wrote of `STATE`."""
STORED_3 = bytes.fromhex(
    "0329000000000000000080d35492010000204e0000000000000000000000000040000000000000000001000000000000"
    "00000000000000000000000000000000400105373433323303343233010531343335360100a7a9240300000080d35492"
    "0100000002103432353039343837323530343938353701393000000000000003617c6200010900000000000000010961"
    "616d2d706f7374730100000000000000000300000000000000d204000000000000010000000000000000"
)
"""What this release writes of `STATE`."""


def test_a_state_comes_back_as_it_was() -> None:
    assert parts(decode_state(encode_state(STATE))) == parts(STATE)


@pytest.mark.parametrize("stored", [STORED_1, STORED_2, STORED_3])
def test_what_was_stored_before_is_still_read(stored: bytes) -> None:
    assert parts(decode_state(stored)) == parts(STATE)
    assert msgspec.structs.astuple(decode_summary(stored)) == (41, DAY_0, 20_000, NEVER, 0, 1, 0)


def test_what_is_stored_does_not_change_without_a_new_version() -> None:
    assert encode_state(decode_state(STORED_1)) == encode_state(decode_state(STORED_2)) == STORED_3


def test_a_new_user_has_nothing_due_and_nothing_behind() -> None:
    new = decode_state(encode_state(UserState()))
    assert (new.offset, new.version, new.due_at, new.removed_at, new.destinations) == (-1, 0, NEVER, 0, [])


def test_states_do_not_share_their_lists() -> None:
    UserState().destination("74323", "423")
    assert UserState().destinations == []


def test_a_state_begins_with_its_version() -> None:
    assert encode_state(STATE)[:1] == VERSION == b"\x03"


@pytest.mark.parametrize(("stored", "version"), [(b"\x04\x90", "04"), (b"\x00", "00"), (b"", "none")])
def test_a_state_of_a_newer_release_is_refused_with_what_to_do(stored: bytes, version: str) -> None:
    with pytest.raises(StateVersionError) as refused:
        decode_state(stored)
    assert str(refused.value) == (
        f"stored state has version {version}, this release knows 03 and before; run the release that wrote it, "
        "or a newer one"
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
    place = user.destination("1", "2")
    other = place.add("4", 0, False, 0, user.add_origin(Origin("old-posts", 1, 2, 3)))
    known = place.add("3", 0, False, 0, user.add_origin(Origin("aam-posts", 4, 5, 6)))
    place.origins[known] = user.add_origin(Origin("aam-posts", 7, 8, 9))
    for told in (user, decode_state(encode_state(user))):
        origins = told.destination("1", "2").origins
        assert told.origin_of(origins[known]) == Origin("aam-posts", 7, 8, 9)
        assert told.origin_of(origins[other]) == Origin("old-posts", 1, 2, 3)
        assert told.topics == ["old-posts", "aam-posts"]
    assert list(place.origins) == [0, 1]


def test_origins_that_no_membership_names_are_not_stored() -> None:
    user = UserState()
    place = user.destination("1", "2")
    known = place.add("3", 0, False, 0, 0)
    for offset in range(50):
        place.origins[known] = user.add_origin(Origin("aam-posts", 4, offset, 6))
    assert list(decode_state(encode_state(user)).origins) == [0, 4, 49, 6]


@pytest.mark.parametrize("names", [[], [""], ["a"], ["", ""], ["a", "b"], ["\x1f"], ["a\x1fb", "c"]])
def test_segment_ids_come_back_as_they_were(names: list[str]) -> None:
    user = UserState()
    user.add_origin(Origin("aam-posts", 4, 5, 6))
    user.destinations = [destination("1", "2", *[(name, DAY_0, True, DAY_0, 0) for name in names])]
    assert decode_state(encode_state(user)).destinations[0].segment_ids == names


def test_a_membership_is_found_by_its_segment() -> None:
    place = Destination("1", "2")
    positions = [place.add(name, DAY_0 + number, number == 1, 0, 0) for number, name in enumerate("ab")]
    assert positions == [place.position("a"), place.position("b")] == [0, 1]
    assert place.position("c") == -1
    assert [(place.verified_at(at), place.active(at)) for at in positions] == [
        (DAY_0, False),
        (DAY_0 + 1, True),
    ]
