"""The sender's message: what a body says once it is read.

`schemas.post_check` tells whether a body is a message at all, `schemas.post_reading` reads one.
Source: wire format, *Message* and *Identifiers*.
"""

from typing import Literal

import msgspec

from schemas.event import Partner, SegmentStatus

ID_CHARACTERS_MAX = 256
"""Of a client, destination, user or segment ID: they are keys of compacted topics."""

SHOWN_CHARACTERS = 80
"""Of a value in the reason for its refusal."""

PostError = Literal[
    "missing-client-id",
    "bad-client-id",
    "bad-destination-id",
    "bad-user",
    "missing-aam-uuid",
    "bad-aam-uuid",
    "bad-partner-id",
    "bad-regions",
    "bad-segments",
    "missing-segment-id",
    "bad-segment-id",
    "bad-status",
    "bad-date-time",
    "bad-text",
]
"""What can be wrong with a message or a user of it; stable, since operators filter dead letters by it."""


class MalformedPost(ValueError):  # noqa: N818 - named for what it tells
    """A body that is not a message: `where` is a JSON path or a byte offset, `reason` is for a person."""

    def __init__(self, where: str, reason: str) -> None:
        """Say where and why."""
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class Problem(msgspec.Struct, frozen=True, gc=False):
    """Why a message or a user of it is set aside."""

    error: PostError
    reason: str


class User(msgspec.Struct, frozen=True, gc=False):
    """A user who was read whole; `position` is the 0-based place in `Users`.

    A segment's position is its place in `segments`. `all_zero_id`: the device's owner limited ad tracking, so there
    is no partner although an ID was sent.
    """

    position: int
    aam_uuid: str
    partner: Partner | None
    regions: list[int]
    segments: list[SegmentStatus]
    all_zero_id: bool = False


class BadUser(msgspec.Struct, frozen=True, gc=False):
    """A user who is set aside whole, for the first thing that was wrong."""

    position: int
    problem: Problem


class Post(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A message. With a `problem` of its own head it has neither users nor bad users.

    `destination_id` is empty where the message names none; `process_time` (epoch ms) is None where it is missing or
    unreadable. `user_count_mismatch` is to be counted, not refused.
    """

    client_id: str
    destination_id: str
    process_time: int | None
    user_count_mismatch: bool
    users: list[User]
    bad_users: list[BadUser]
    problem: Problem | None = None
