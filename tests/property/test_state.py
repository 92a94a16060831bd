import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.rules.state import UserState
from processors.rules.state_codec import StateDamagedError, StateVersionError, decode_state, encode_state
from schemas.event import Partner
from tests.support.user_state import destination, parts, user_state

_LONG = st.integers(-(2**63), 2**63 - 1)
_MEMBERSHIPS = st.tuples(st.integers(-(2**62), 2**62 - 1), st.booleans(), _LONG, st.integers(0, 2))
_DESTINATIONS = st.builds(
    lambda client, name, memberships: destination(client, name, *[(each, *of) for each, of in memberships.items()]),
    st.text(),
    st.text(),
    st.dictionaries(st.text() | st.text("a\x1f"), _MEMBERSHIPS, max_size=4),
)
_HEADS = st.fixed_dictionaries(
    dict.fromkeys(["offset", "version", "seen_day", "due_at", "removed_at"], _LONG) | {"active": st.integers(0, 12)}
)
_STATES = st.builds(
    user_state,
    _HEADS,
    destinations=st.lists(_DESTINATIONS, max_size=3),
    partners=st.lists(st.builds(Partner, st.text(), st.none() | _LONG), max_size=3),
    regions=st.lists(_LONG, max_size=3),
    topics=st.lists(st.text(), max_size=2),
    origins=st.lists(st.tuples(_LONG, _LONG, _LONG, _LONG), min_size=3, max_size=3),
)


@given(_STATES)
def test_a_stored_state_comes_back_as_it_was(state: UserState) -> None:
    stored = encode_state(state)
    assert parts(decode_state(stored)) == parts(state)
    assert encode_state(decode_state(stored)) == stored


@given(_STATES, st.integers(0, 255).filter(lambda version: version not in (1, 2, 3)))
def test_a_state_of_another_version_is_refused_whatever_it_holds(state: UserState, version: int) -> None:
    with pytest.raises(StateVersionError, match=f"version {version:02x}, this release knows 03"):
        decode_state(bytes([version]) + encode_state(state)[1:])


@given(_STATES, st.data())
def test_a_state_cut_short_is_never_taken_for_another(state: UserState, data: st.DataObject) -> None:
    stored = encode_state(state)
    cut = stored[: data.draw(st.integers(0, len(stored) - 1))]
    with pytest.raises((StateVersionError, StateDamagedError)):
        decode_state(cut)
