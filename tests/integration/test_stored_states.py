"""States as releases stored them, byte for byte: read, summed up, and gone on from.

The files hold events and what the release of that version stored of each user after them.
"""

import gzip
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from processors.membership import user_codec
from processors.rules.expiry import TimeLimits
from processors.rules.membership import apply_event
from processors.rules.privacy import apply_privacy
from processors.rules.state import UserState
from processors.rules.state_codec import VERSION, decode_state, decode_summary, encode_state
from runtime.state.store import StateStore, Writes, data_key
from runtime.state.table import StateTable
from schemas.event import Origin, SegmentEvent, decode_event

DATA = Path(__file__).parents[1] / "data"
VERSIONS = (1, 2, 3)


class Stored(msgspec.Struct):
    """What a file holds."""

    given: dict[str, Any] = msgspec.field(name="limits")
    events: list[bytes]
    states: dict[str, bytes]

    @property
    def limits(self) -> TimeLimits:
        return TimeLimits(**self.given)


def read(version: int) -> Stored:
    raw = gzip.decompress((DATA / f"states-v{version}.msgpack.gz").read_bytes())
    return msgspec.msgpack.decode(raw, type=Stored)


def apply(user: UserState, value: bytes, offset: int, limits: TimeLimits) -> None:
    event = decode_event(value)
    assert event is not None
    if isinstance(event, SegmentEvent):
        story = apply_event(user, event, limits)
    else:
        story = apply_privacy(user, event, Origin("segment-events", 0, offset, 0), limits)
    if story.stored:
        user.offset = offset


def made_now(stored: Stored) -> dict[str, UserState]:
    """Return what this release makes of the same events."""
    users: dict[str, UserState] = {}
    for offset, value in enumerate(stored.events):
        event = decode_event(value)
        assert event is not None
        rules = zlib.crc32(stored.limits.fingerprint().encode())
        apply(users.setdefault(event.aam_uuid, UserState(rules=rules)), value, offset, stored.limits)
    return users


@pytest.mark.parametrize("version", VERSIONS)
def test_states_of_every_version_are_read_as_what_this_release_makes_of_the_same_events(version: int) -> None:
    stored = read(version)
    assert {value[0] for value in stored.states.values()} == {version}
    users = made_now(stored)
    assert users.keys() == stored.states.keys()
    for aam_uuid, value in stored.states.items():
        again = encode_state(users[aam_uuid])
        assert msgspec.structs.asdict(decode_summary(value)) == msgspec.structs.asdict(decode_summary(again))
        assert encode_state(decode_state(value)) == again
        assert again[:1] == VERSION


def test_the_files_hold_whatever_a_state_may_hold() -> None:
    states = [decode_state(value) for value in read(1).states.values()]
    assert any(state.tombstones for state in states)
    assert any(state.removed_at and state.alive for state in states)
    assert any(len(state.partners) > 3 for state in states)
    assert any(len(state.destinations) > 1 for state in states)
    assert any(state.regions for state in states)


def test_the_newest_version_has_a_file() -> None:
    assert VERSION[0] == max(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_of_every_version_is_gone_on_from(version: int, tmp_path: Path) -> None:
    stored = read(version)
    store = StateStore(tmp_path / "state", block_cache_bytes=1 << 20, memtable_bytes=1 << 20)
    writes = Writes()
    keys = {data_key(0, aam_uuid.encode()): value for aam_uuid, value in stored.states.items()}
    for key, value in keys.items():
        writes.put(key, value)
    store.write(writes)
    table: StateTable[UserState] = StateTable(store, user_codec(stored.limits))
    table.load(keys)
    for key in keys:
        assert table[key].offset >= 0
        table.changed(key)
    assert len(list(table.changelog())) == len(keys)
    store.write(table.commit())
    assert {value[0] for _, value in store.scan(0)} == {VERSION[0]}
    store.close()
