"""A user's state as it is stored."""

import pytest

from sinks.outbound.state import StateVersionError, UserState, copy_state, decode_state, encode_state
from tests.support.outbound import row, user_of


def test_a_state_comes_back_as_it_was_stored() -> None:
    user = user_of(row("1", 1), row("2", 2, "INACTIVE"))
    user.offset, user.told_at = 7, 8
    assert decode_state(encode_state(user)) == user
    assert (user.active, user.blank, UserState().blank) == (1, False, True)


def test_a_copy_shares_nothing() -> None:
    user = user_of(row("1", 1))
    copy = copy_state(user)
    copy.segments["1"].active = False
    assert user.segments["1"].active
    user.become(copy)
    assert not user.segments["1"].active


def test_a_state_of_a_newer_release_is_not_guessed_at() -> None:
    with pytest.raises(StateVersionError, match="version ff"):
        decode_state(b"\xff")
