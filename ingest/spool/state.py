"""What a spool tells of itself, and the bounds it is given."""

from enum import Enum

import msgspec


class Level(Enum):
    """How a spool is."""

    OK = "ok"
    HIGH = "high"
    """80 % of its bytes are used; appends still work."""
    FULL = "full"
    """The last append found no room: its own bound, the disk's, or a quota."""
    FAILED = "failed"
    """The disk refused the last append, or does not answer at all."""


class SpoolState(msgspec.Struct, frozen=True):
    """A spool at one moment; `oldest_ms` is when its oldest pending record was received, to a second."""

    level: Level
    used_bytes: int
    bytes_max: int
    pending_records: int
    segments: int
    oldest_ms: int | None
    trouble: str | None


class Pending(msgspec.Struct, frozen=True):
    """What is pending of one source; `oldest_ms` is when its oldest record was received, to a second."""

    records: int
    oldest_ms: int


class SpoolLimits(msgspec.Struct, frozen=True):
    """The bounds of one spool directory."""

    bytes_max: int = 1 << 30
    """Of all segments; never exceeded, and nothing is ever evicted."""
    segment_bytes: int = 64 << 20
    """A segment that has reached this is closed; smaller ones free the disk earlier."""
    unsaved_marks_max: int = 1000
    """How many done marks may be lost in a crash: so many records are replayed a second time."""
    cursor_interval_ms: int = 1000
    """How long fewer done marks may stay unsaved."""
    high_ratio: float = 0.8

    @property
    def roll_bytes(self) -> int:
        """From which size on a segment is closed, and so removed, when everything in it is done."""
        return min(1 << 20, self.segment_bytes // 4)
