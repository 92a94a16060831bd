"""What is kept of a user for one destination, and its stored versions. Private to that destination's sink.

Stored as one version byte and msgpack arrays, like the membership processor's state. Pure.
"""

import msgspec

from sinks.outbound.asked import Asked

VERSION = b"\x01"
NEVER = 1 << 62
"""A time that never comes, epoch ms."""
UNHEARD_S = -1
"""Before every `DateTime`, epoch seconds."""


class Row(msgspec.Struct, array_like=True, gc=False):
    """The last row of one membership; `place` is an index into the user's `places`."""

    place: int
    version: int
    active: bool


class Segment(msgspec.Struct, array_like=True, gc=False):
    """A segment of the user: active while any of its rows is. Without rows it was deleted, and may yet have to be told.

    `at_s` is the `DateTime` to send, epoch seconds as the wire has no finer ones. It never goes back, and rises where
    the segment becomes active again: a receiver that takes the last writer, and Status 0 at equal times, then
    always ends where we are. `turns` counts how often it was entered or left.
    """

    active: bool = False
    at_s: int = UNHEARD_S
    version: int = 0
    turns: int = 0
    rows: list[Row] = []


class Told(msgspec.Struct, array_like=True, gc=False):
    """What the partner acknowledged of one value that it knows a segment by."""

    segment_id: str
    active: bool
    at_s: int
    turns: int


class UserState(msgspec.Struct, array_like=True, gc=False):
    """All that is known of a user at one destination.

    `offset`: the last input offset applied. `due_at`: of the next batch that has something to say, epoch ms.
    `places`: client and destination of the memberships. `partners`: the user's IDs at the destination's data source.
    `told`: by value; `told_at` (epoch ms, 0: never), `told_mapping` and `told_partners` say when something was last
    acknowledged, and by which mapping and to which IDs. `asked` is of one entry for each partition, which is no user.
    """

    offset: int = -1
    due_at: int = NEVER
    places: list[tuple[str, str]] = []
    segments: dict[str, Segment] = {}
    partners: list[str] = []
    regions: list[int] = []
    told: dict[str, Told] = {}
    told_at: int = 0
    told_mapping: int = 0
    told_partners: int = 0
    asked: Asked | None = None

    @property
    def active(self) -> int:
        """How many segments are active."""
        return sum(segment.active for segment in self.segments.values())

    @property
    def blank(self) -> bool:
        """Whether there is nothing to be kept."""
        return not self.segments and self.asked is None

    def become(self, other: "UserState") -> None:
        """Take over everything of `other`."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(other, name))


class StateVersionError(ValueError):
    """A stored state has a version that this release does not know."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(UserState)


def encode_state(state: UserState) -> bytes:
    """Encode a state as it is stored and written to the changelog."""
    return VERSION + _encoder.encode(state)


def decode_state(value: bytes) -> UserState:
    """Decode a stored state of any known version.

    Raises:
        StateVersionError: it was written by a newer release.
    """
    if value[:1] != VERSION:
        raise StateVersionError(
            f"stored state has version {value[:1].hex() or 'none'}, this release knows {VERSION.hex()}; "
            "run the release that wrote it, or a newer one"
        )
    return _decoder.decode(memoryview(value)[1:])


def copy_state(state: UserState) -> UserState:
    """Return a copy that shares nothing with `state`."""
    return decode_state(encode_state(state))
