"""Users put together into messages. Pure. Source: wire format, sections 1 and 3."""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from sinks.outbound.message import UserEntry
from sinks.outbound.rules import Decision
from sinks.outbound.state import UserState

# So that a message stays below the body limits that receivers have: a segment takes about 100 bytes.
SEGMENTS_PER_MESSAGE_MAX = 2000


class Delivery(NamedTuple):
    """What one user is sent: `key` is of the state, `origin` partition and offset of the row that led to it."""

    key: bytes
    aam_uuid: str
    user: UserState
    decision: Decision
    origin: tuple[int, int]

    def entries(self) -> Iterator[UserEntry]:
        """Yield an entry for every synced ID of the destination's data source; without any the AAM ID stands alone."""
        regions = tuple(self.user.regions)
        partner_uuids: Sequence[str | None] = self.user.partners or [None]
        for partner_uuid in partner_uuids:
            yield UserEntry(self.aam_uuid, partner_uuid, regions, self.decision.entries)


Users = tuple[UserEntry, ...]
"""Of one message."""


def pack(deliveries: Iterable[Delivery], max_users: int, done: Container[UserEntry] = ()) -> list[Users]:
    """Fill messages with up to `max_users` entries, in order; those that are `done` are left out."""
    messages: list[Users] = []
    users: list[UserEntry] = []
    segments = 0
    for entry in (entry for delivery in deliveries for entry in delivery.entries() if entry not in done):
        if len(users) >= max_users or (users and segments + len(entry.entries) > SEGMENTS_PER_MESSAGE_MAX):
            messages.append(tuple(users))
            users, segments = [], 0
        users.append(entry)
        segments += len(entry.entries)
    if users:
        messages.append(tuple(users))
    return messages
