"""A user's state. Private to the membership processor; how it is stored is in `processors.rules.state_codec`.

Plain classes: compiled, they are by far the quickest to read and to change.
"""

from typing import Final

from schemas.event import Origin, Partner

NEVER: Final = 1 << 62
"""A time that never comes, epoch ms."""
UNKNOWN: Final = -1
"""`since` of a membership of which nothing was published."""

StoredOrigin = tuple[int, int, int, int]
"""A record: an index into the user's `topics`, a partition, an offset and a position."""
Name = tuple[str, str, str]
"""Client, destination and segment of a membership."""


class Destination:
    """A user's memberships at one destination, in columns: what stands at one position is of one segment.

    `stamps`: when the last writer verified the membership and whether it is active, as one number (`stamp`). `since`:
    epoch ms. `origins`: the record that set the membership, an index into the user's `origins`: one message sets many
    memberships. When a membership expires is not kept: it follows from when it was verified and the configured
    time-to-live, so a change of configuration applies to what is already there.
    """

    __slots__ = ("client_id", "destination_id", "origins", "segment_ids", "since", "stamps")

    def __init__(self, client_id: str, destination_id: str) -> None:
        """Begin without memberships."""
        self.client_id = client_id
        self.destination_id = destination_id
        self.segment_ids: list[str] = []
        self.stamps: list[int] = []
        self.since: list[int] = []
        self.origins: list[int] = []

    def add(self, segment_id: str, verified_at: int, active: bool, since: int, origin: int) -> int:
        """Add a membership of a segment that is not there yet; return its position."""
        self.segment_ids.append(segment_id)
        self.stamps.append(stamp(verified_at, active))
        self.since.append(since)
        self.origins.append(origin)
        return len(self.segment_ids) - 1

    def position(self, segment_id: str) -> int:
        """Return the position of a segment, -1 where it is not there."""
        return self.segment_ids.index(segment_id) if segment_id in self.segment_ids else -1

    def active(self, position: int) -> bool:
        """Return whether the membership at a position is active."""
        return self.stamps[position] & 1 == 1

    def verified_at(self, position: int) -> int:
        """Return when the membership at a position was last verified, epoch ms."""
        return self.stamps[position] >> 1


def stamp(verified_at: int, active: bool) -> int:
    """Return when and whether, as one number: epoch ms doubled, and one more if active."""
    return verified_at << 1 | active


class UserState:
    """All that is known of a user.

    `offset`: the last input offset applied. `version`: of the last thing published, a hybrid clock (at least the epoch
    ms of its cause), so that it rises even across a removal of the state. `seen_day`: days since the epoch, 0: never.
    `due_at`: nothing is due before (a lower bound). `removed_at`: what was received or verified until then is ignored.
    `active`: how many memberships are. `rules`: by which limits `due_at` was found. `origins`: records that set
    memberships. `tombstones`: rows of before the removal, to be deleted at `tombstone_at`.
    """

    __slots__ = (
        "active", "destinations", "due_at", "offset", "origins", "partners", "regions", "removed_at", "rules",
        "seen_day", "tombstone_at", "tombstones", "topics", "version",
    )  # fmt: skip

    def __init__(
        self, offset: int = -1, version: int = 0, seen_day: int = 0, due_at: int = NEVER, removed_at: int = 0,
        active: int = 0, rules: int = 0,
    ) -> None:  # fmt: skip
        """Begin with nothing but these."""
        self.offset = offset
        self.version = version
        self.seen_day = seen_day
        self.due_at = due_at
        self.removed_at = removed_at
        self.active = active
        self.rules = rules
        self.destinations: list[Destination] = []
        self.partners: list[Partner] = []
        self.regions: list[int] = []
        self.topics: list[str] = []
        self.origins: list[StoredOrigin] = []
        self.tombstones: list[Name] = []
        self.tombstone_at = NEVER

    @property
    def alive(self) -> bool:
        """Whether the user was seen since the last removal."""
        return self.seen_day > 0 or len(self.destinations) > 0

    @property
    def blank(self) -> bool:
        """Whether there is nothing to be kept."""
        return not self.alive and not self.removed_at and not self.tombstones

    def destination(self, client_id: str, destination_id: str) -> Destination:
        """Return the user's memberships at a destination, an empty set where there were none."""
        for found in self.destinations:
            if found.client_id == client_id and found.destination_id == destination_id:
                return found
        new = Destination(client_id, destination_id)
        self.destinations.append(new)
        return new

    def add_origin(self, origin: Origin) -> int:
        """Keep a record that sets memberships; return its index. What no membership names goes when it is stored."""
        if origin.topic not in self.topics:
            self.topics.append(origin.topic)
        topic = self.topics.index(origin.topic)
        self.origins.append((topic, origin.partition, origin.offset, origin.index))
        return len(self.origins) - 1

    def origin_of(self, origin: int) -> Origin:
        """Return the record of which the index is kept with a membership."""
        topic, partition, offset, index = self.origins[origin]
        return Origin(self.topics[topic], partition, offset, index)

    def next_version(self, at_ms: int) -> int:
        """Take the next version: higher than every one before, and at least `at_ms` (invariant I4)."""
        version = self.version + 1
        if version < at_ms:
            version = at_ms
        self.version = version
        return version
