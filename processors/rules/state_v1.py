"""The first stored version of a user's state: an object per membership. Read, never written."""

import msgspec
from librt.vecs import vec
from mypy_extensions import i64

from processors.rules.state import NEVER, Destination, UserState
from schemas.event import Partner

VERSION_1 = b"\x01"


class Membership1(msgspec.Struct, array_like=True, gc=False):
    """One membership."""

    verified_at: int
    active: bool
    since: int
    origin: int


class Destination1(msgspec.Struct, array_like=True, gc=False):
    """A user's memberships at one destination, by segment ID."""

    client_id: str
    destination_id: str
    segments: dict[str, Membership1]

    def upgraded(self) -> Destination:
        """Return the same in columns."""
        new = Destination(self.client_id, self.destination_id)
        for segment_id, known in self.segments.items():
            new.add(segment_id, known.verified_at, known.active, known.since, known.origin)
        return new


class UserState1(msgspec.Struct, array_like=True, gc=False):
    """All that is known of a user; the fields are those of `UserState`."""

    offset: int = -1
    version: int = 0
    seen_day: int = 0
    due_at: int = NEVER
    removed_at: int = 0
    active: int = 0
    rules: int = 0
    destinations: list[Destination1] = []
    partners: list[Partner] = []
    regions: list[int] = []
    topics: list[str] = []
    origins: list[tuple[int, int, int, int]] = []
    tombstones: list[tuple[str, str, str]] = []
    tombstone_at: int = NEVER


_decode = msgspec.msgpack.Decoder(UserState1).decode


def decode_v1(value: bytes) -> UserState:
    """Decode a state stored in version 1."""
    old = _decode(memoryview(value)[1:])
    state = UserState(
        old.offset, old.version, old.seen_day, old.due_at, old.removed_at, old.active, old.rules
    )  # fmt: skip
    state.destinations = [each.upgraded() for each in old.destinations]
    state.partners, state.regions, state.topics = old.partners, old.regions, old.topics
    state.origins = vec[i64]([number for origin in old.origins for number in origin])
    state.tombstones, state.tombstone_at = old.tombstones, old.tombstone_at
    return state
