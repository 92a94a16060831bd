"""A user's state and its stored versions. Private to the membership processor.

Stored as one version byte and msgpack arrays: small, and quick to read. A new version gets a new byte, and a decoder
for the old one stays.
"""

import msgspec

from schemas.event import Origin, Partner

VERSION = b"\x01"
NEVER = 1 << 62
"""A time that never comes, epoch ms."""
UNKNOWN = -1
"""`since` of a membership of which nothing was published."""


class Membership(msgspec.Struct, array_like=True, gc=False):
    """One membership: the last writer's time, whether it is active, since when, and the record that set it.

    The record is an index into the user's `origins`: one message sets many memberships. When the membership expires is
    not kept: it follows from `verified_at` and the configured time-to-live, so a change of configuration applies to
    what is already there.
    """

    verified_at: int
    active: bool
    since: int
    origin: int


class Destination(msgspec.Struct, array_like=True, gc=False):
    """A user's memberships at one destination, by segment ID."""

    client_id: str
    destination_id: str
    segments: dict[str, Membership]


class UserState(msgspec.Struct, array_like=True, gc=False):
    """All that is known of a user.

    `offset`: the last input offset applied. `version`: of the last thing published, a hybrid clock (at least the epoch
    ms of its cause), so that it rises even across a removal of the state. `seen_day`: days since the epoch, 0: never.
    `due_at`: nothing is due before (a lower bound). `removed_at`: what was received or verified until then is ignored.
    `active`: how many memberships are. `rules`: by which limits `due_at` was found. `origins`: records that set
    memberships, each as an index into `topics`, a partition, an offset and a position. `tombstones`: rows of before the
    removal, to be deleted at `tombstone_at`.
    """

    offset: int = -1
    version: int = 0
    seen_day: int = 0
    due_at: int = NEVER
    removed_at: int = 0
    active: int = 0
    rules: int = 0
    destinations: list[Destination] = []
    partners: list[Partner] = []
    regions: list[int] = []
    topics: list[str] = []
    origins: list[tuple[int, int, int, int]] = []
    tombstones: list[tuple[str, str, str]] = []
    tombstone_at: int = NEVER

    @property
    def alive(self) -> bool:
        """Whether the user was seen since the last removal."""
        return self.seen_day > 0 or bool(self.destinations)

    @property
    def blank(self) -> bool:
        """Whether there is nothing to be kept."""
        return not self.alive and not self.removed_at and not self.tombstones

    def destination(self, client_id: str, destination_id: str) -> Destination:
        """Return the user's memberships at a destination, an empty set where there were none."""
        for found in self.destinations:
            if found.client_id == client_id and found.destination_id == destination_id:
                return found
        new = Destination(client_id, destination_id, {})
        self.destinations.append(new)
        return new

    def add_origin(self, origin: Origin) -> int:
        """Keep a record that sets memberships; return its index. What no membership names goes when it is stored."""
        if origin.topic not in self.topics:
            self.topics.append(origin.topic)
        topic = self.topics.index(origin.topic)
        self.origins.append((topic, origin.partition, origin.offset, origin.index))
        return len(self.origins) - 1

    def origin_of(self, membership: Membership) -> Origin:
        """Return the record that last set a membership."""
        topic, partition, offset, index = self.origins[membership.origin]
        return Origin(self.topics[topic], partition, offset, index)

    def drop_unused_origins(self) -> None:
        """Keep the origins that are named, in the order of their memberships."""
        kept: dict[int, int] = {}
        for destination in self.destinations:
            for membership in destination.segments.values():
                membership.origin = kept.setdefault(membership.origin, len(kept))
        self.origins = [self.origins[origin] for origin in kept]

    def next_version(self, at_ms: int) -> int:
        """Take the next version: higher than every one before, and at least `at_ms` (invariant I4)."""
        self.version = max(self.version + 1, at_ms)
        return self.version


class UserSummary(msgspec.Struct, array_like=True, gc=False):
    """The first fields of a user's state, which are read without the rest of it."""

    offset: int
    version: int
    seen_day: int
    due_at: int
    removed_at: int
    active: int
    rules: int


class StateVersionError(ValueError):
    """A stored state has a version that this release does not know."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(UserState)
_summary_decoder = msgspec.msgpack.Decoder(UserSummary)


def encode_state(state: UserState) -> bytes:
    """Encode a state as it is stored and written to the changelog."""
    state.drop_unused_origins()
    return VERSION + _encoder.encode(state)


def decode_state(value: bytes) -> UserState:
    """Decode a stored state of any known version.

    Raises:
        StateVersionError: it was written by a newer release.
    """
    return _decoder.decode(_payload(value))


def decode_summary(value: bytes) -> UserSummary:
    """Decode the first fields of a stored state of any known version.

    Raises:
        StateVersionError: it was written by a newer release.
    """
    return _summary_decoder.decode(_payload(value))


def _payload(value: bytes) -> memoryview:
    if value[:1] != VERSION:
        raise StateVersionError(
            f"stored state has version {value[:1].hex() or 'none'}, this release knows {VERSION.hex()}; "
            "run the release that wrote it, or a newer one"
        )
    return memoryview(value)[1:]
