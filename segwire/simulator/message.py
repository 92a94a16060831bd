"""One simulated message: the bytes on the wire and, apart from them, what they state."""

from typing import Literal

import msgspec

Kind = Literal["visit", "late", "stale", "tie", "repeat", "batch"]


class Statement(msgspec.Struct, frozen=True, gc=False):
    """A message says that a user is in a segment, or is not, as of a time (epoch seconds)."""

    aam_uuid: str
    segment_id: str
    active: bool
    at_s: int


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message to be sent `planned_s` seconds after the start. `number` counts from 0 in the order of sending."""

    number: int
    kind: Kind
    planned_s: float
    destination_id: str
    statements: tuple[Statement, ...]
    body: bytes
