"""One message to one event for each good user and one finding for each bad one.

Pure: the same record always gives the same events. Source: wire format, *Message*; interfaces, *Topics*.
"""

import msgspec

from schemas.event import Origin, SegmentEvent
from schemas.post import MalformedPost, Post
from schemas.post_reading import parse_post

FINDINGS_MAX = 100
"""Bad users of one message who are set aside one by one: each dead letter carries the whole message."""

MALFORMED_MESSAGE = "malformed-message"
MANY_BAD_USERS = "many-bad-users"


class Finding(msgspec.Struct, frozen=True, gc=False):
    """Something to set aside: a user of the message by 0-based position, or the message (None).

    `error` is one of `schemas.post.PostError`, `MALFORMED_MESSAGE` or `MANY_BAD_USERS`.
    """

    user_index: int | None
    error: str
    reason: str


class Exploded(msgspec.Struct, frozen=True, gc=False):
    """What a message becomes. `bad_users` counts every user set aside, however many findings tell of them."""

    events: list[SegmentEvent]
    findings: list[Finding]
    bad_users: int = 0
    all_zero_ids: int = 0
    user_count_mismatch: bool = False


def explode(body: bytes, *, received_at: int, source: str, topic: str, partition: int, offset: int) -> Exploded:
    """Read the message in the record `topic`, `partition`, `offset`, received at `received_at` (epoch ms).

    `body` is without content coding. Events keep the order of `Users`; a user without segments makes one too.
    """
    try:
        post = parse_post(body)
    except MalformedPost as malformed:
        return Exploded([], [Finding(None, MALFORMED_MESSAGE, str(malformed))])
    events = [
        SegmentEvent(
            client_id=post.client_id,
            destination_id=post.destination_id,
            aam_uuid=user.aam_uuid,
            partner=user.partner,
            regions=user.regions,
            segments=user.segments,
            process_time=post.process_time,
            received_at=received_at,
            source=source,
            origin=Origin(topic, partition, offset, user.position),
        )
        for user in post.users
    ]
    return Exploded(
        events,
        _findings(post),
        bad_users=len(post.bad_users),
        all_zero_ids=sum(user.all_zero_id for user in post.users),
        user_count_mismatch=post.user_count_mismatch,
    )


def only(exploded: Exploded, users: frozenset[int]) -> Exploded:
    """Return what a message becomes for these users alone (0-based positions), and what concerns all of it."""
    findings = [found for found in exploded.findings if found.user_index is None or found.user_index in users]
    return msgspec.structs.replace(
        exploded,
        events=[event for event in exploded.events if event.origin.index in users],
        findings=findings,
        bad_users=sum(found.user_index is not None for found in findings),
    )


def _findings(post: Post) -> list[Finding]:
    if post.problem is not None:
        return [Finding(None, post.problem.error, post.problem.reason)]
    if len(post.bad_users) > FINDINGS_MAX:
        first = post.bad_users[0].problem
        reason = f"{len(post.bad_users)} users of this message are bad input, the first: {first.error}, {first.reason}"
        return [Finding(None, MANY_BAD_USERS, reason)]
    return [Finding(bad.position, bad.problem.error, bad.problem.reason) for bad in post.bad_users]
