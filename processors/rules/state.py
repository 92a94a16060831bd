"""A user's state. Private to the membership processor; how it is stored is in `processors.rules.state_codec`.

Plain classes: compiled, they are by far the quickest to read and to change.
"""

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i64

from schemas.event import Origin, Partner

NEVER: Final = 1 << 62
"""A time that never comes, epoch ms."""
UNKNOWN: Final = -1
"""`since` of a membership of which nothing was published."""

NUMBERS: Final = 4
"""Numbers of each record of `UserState.origins`: an index into `topics`, a partition, an offset and a position."""
Name = tuple[str, str, str]
"""Client, destination and segment of a membership."""


class Destination:
    """A user's memberships at one destination, in columns: what stands at one position is of one segment.

    `stamps`: when the last writer verified the membership and whether it is active, as one number (`stamp`). `since`:
    epoch ms. `origins`: the record that set the membership, an index into the user's `origins`: one message sets many
    memberships. When a membership expires is not kept: it follows from when it was verified and the configured
    time-to-live, so a change of configuration applies to what is already there.

    The segments' IDs are UTF-8, those that were stored in one piece (`text`, with `bounds` where each begins and ends),
    those that are `new` one by one.
    """

    __slots__ = ("bounds", "client_id", "destination_id", "new", "origins", "since", "stamps", "text")

    def __init__(self, client_id: str, destination_id: str) -> None:
        """Begin without memberships."""
        self.client_id = client_id
        self.destination_id = destination_id
        self.text = b""
        self.bounds: vec[i64] = vec[i64]()
        self.new: list[bytes] = []
        self.stamps: vec[i64] = vec[i64]()
        self.since: vec[i64] = vec[i64]()
        self.origins: vec[i64] = vec[i64]()

    @property
    def count(self) -> int:
        """How many memberships there are."""
        return len(self.stamps)

    @property
    def segment_ids(self) -> list[str]:
        """The IDs of the segments, by position."""
        return [self.segment(position).decode() for position in range(len(self.stamps))]

    def add(self, segment_id: str, verified_at: int, active: bool, since: int, origin: int) -> int:
        """Add a membership of a segment that is not there yet; return its position."""
        return self.add_raw(segment_id.encode(), stamp(verified_at, active), since, origin)

    def add_raw(self, segment: bytes, stamped: i64, since: i64, origin: i64) -> int:
        """Add a membership as `add` does."""
        self.new.append(segment)
        self.stamps = append(self.stamps, stamped)
        self.since = append(self.since, since)
        self.origins = append(self.origins, origin)
        return len(self.stamps) - 1

    def segment(self, position: i64) -> bytes:
        """Return the ID of the segment at a position, UTF-8."""
        stored = len(self.bounds) // 2
        if position >= stored:
            return self.new[position - stored]
        return self.text[self.bounds[2 * position] : self.bounds[2 * position + 1]]

    def stands(self, position: i64, text: bytes, begin: i64, end: i64) -> bool:
        """Tell whether the segment at a position is the one whose ID stands in `text`."""
        if position >= len(self.stamps):
            return False
        bounds, known = self.bounds, self.text
        if 2 * position >= len(bounds):
            return self.new[position - len(bounds) // 2] == text[begin:end]
        at = bounds[2 * position]
        if bounds[2 * position + 1] - at != end - begin:
            return False
        while begin < end:
            if known[at] != text[begin]:
                return False
            at += 1
            begin += 1
        return True

    def position(self, segment_id: str) -> int:
        """Return the position of a segment, -1 where it is not there."""
        return self.positions().get(segment_id.encode(), -1)

    def positions(self) -> dict[bytes, int]:
        """Return the position of each segment."""
        return {self.segment(position): position for position in range(len(self.stamps))}

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
    memberships, `NUMBERS` for each. `tombstones`: rows of before the removal, to be deleted at `tombstone_at`.
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
        self.origins: vec[i64] = vec[i64]()
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
        index: i64 = 0
        for topic in self.topics:
            if topic == origin.topic:
                break
            index += 1
        else:
            self.topics.append(origin.topic)
        origins = append(append(self.origins, index), origin.partition)
        self.origins = append(append(origins, origin.offset), origin.index)
        return len(self.origins) // NUMBERS - 1

    def origin_of(self, origin: i64) -> Origin:
        """Return the record of which the index is kept with a membership."""
        numbers, at = self.origins, NUMBERS * origin
        return Origin(self.topics[numbers[at]], numbers[at + 1], numbers[at + 2], numbers[at + 3])

    def next_version(self, at_ms: int) -> int:
        """Take the next version: higher than every one before, and at least `at_ms` (invariant I4)."""
        version = self.version + 1
        if version < at_ms:
            version = at_ms
        self.version = version
        return version
