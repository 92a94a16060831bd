import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.rules.state import Destination, UserState
from processors.rules.state_codec import StateVersionError, decode_state, encode_state
from schemas.event import Partner

_LONG = st.integers(-(2**63), 2**63 - 1)
_MEMBERSHIPS = st.tuples(st.integers(-(2**62), 2**62 - 1), st.booleans(), _LONG, st.integers(0, 2))


@st.composite
def _destinations(draw: st.DrawFn) -> Destination:
    destination = Destination(draw(st.text()), draw(st.text()))
    for segment_id, of_it in draw(st.dictionaries(st.text(), _MEMBERSHIPS, max_size=4)).items():
        destination.add(segment_id, *of_it)
    return destination


_STATES = st.builds(
    UserState,
    offset=_LONG, version=_LONG, seen_day=_LONG, due_at=_LONG, removed_at=_LONG,
    destinations=st.lists(_destinations(), max_size=3),
    partners=st.lists(st.builds(Partner, st.text(), st.none() | _LONG), max_size=3),
    regions=st.lists(_LONG, max_size=3),
    topics=st.lists(st.text(), max_size=2),
    origins=st.lists(st.tuples(_LONG, _LONG, _LONG, _LONG), min_size=3, max_size=3),
    active=st.integers(0, 12),
)  # fmt: skip


@given(_STATES)
def test_a_stored_state_comes_back_as_it_was(state: UserState) -> None:
    stored = encode_state(state)
    assert decode_state(stored) == state
    assert encode_state(decode_state(stored)) == stored


@given(_STATES, st.integers(0, 255).filter(lambda version: version not in (1, 2)))
def test_a_state_of_another_version_is_refused_whatever_it_holds(state: UserState, version: int) -> None:
    with pytest.raises(StateVersionError, match=f"version {version:02x}, this release knows 02"):
        decode_state(bytes([version]) + encode_state(state)[1:])


@given(_STATES, st.data())
def test_a_state_cut_short_is_never_taken_for_another(state: UserState, data: st.DataObject) -> None:
    stored = encode_state(state)
    cut = stored[: data.draw(st.integers(0, len(stored) - 1))]
    with pytest.raises((StateVersionError, msgspec.DecodeError)):
        decode_state(cut)
