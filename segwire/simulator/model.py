"""What must be true after the messages that were sent: the simulator's own judgement of the wire format.

For each membership the statement with the latest time counts, whatever the order of arrival; of two with the same
time the one with Status 0. Nothing follows from a segment that a message does not name.
"""

from collections.abc import Iterator

import msgspec

from segwire.simulator.message import Message

# Destination, user, segment: the client is the run's own.
Key = tuple[str, str, str]

_NUMBER_BITS = 40
_NUMBER_MASK = (1 << _NUMBER_BITS) - 1
_NOTHING = (-1, -1)


class Expectation(msgspec.Struct, frozen=True, gc=False):
    """What may be published of one membership. Several are allowed where an unacknowledged message decides.

    `message` and `at_s` are the number and time of the statement that decides if everything arrived.
    """

    may_be_active: bool
    may_be_inactive: bool
    may_be_absent: bool
    message: int
    at_s: int


class Model:
    """Takes messages with their fate and tells what is then expected.

    Each statement is one integer whose order is the order of the rule: its time, then Status 0 above 1, then (to
    name a culprit) the message's number.
    """

    def __init__(self) -> None:
        self._certain: dict[Key, int] = {}
        # The strongest statement of each status: no other unacknowledged one can make a difference.
        self._possible: dict[Key, tuple[int, int]] = {}

    def acknowledged(self, message: Message) -> None:
        """Take a message that was answered 200: it must count."""
        certain = self._certain
        for key, rank in _ranked(message):
            if certain.get(key, -1) < rank:
                certain[key] = rank

    def unacknowledged(self, message: Message) -> None:
        """Take a message that failed or was never answered: it may count or not."""
        # It counts whole or not at all, so of two statements about one membership only the stronger can decide.
        for key, rank in dict(sorted(_ranked(message))).items():
            active, inactive = self._possible.get(key, _NOTHING)
            is_inactive = rank >> _NUMBER_BITS & 1
            self._possible[key] = (active, max(inactive, rank)) if is_inactive else (max(active, rank), inactive)

    def __contains__(self, key: Key) -> bool:
        """Tell whether any message named the membership."""
        return key in self._certain or key in self._possible

    def __len__(self) -> int:
        """Return how many memberships must be published."""
        return len(self._certain)

    def expectations(self) -> Iterator[tuple[Key, Expectation]]:
        """Yield what is expected of every membership that any message named."""
        for key, rank in self._certain.items():
            yield key, _expectation(rank, self._possible.get(key, _NOTHING))
        for key, ranks in self._possible.items():
            if key not in self._certain:
                yield key, _expectation(None, ranks)


def _ranked(message: Message) -> Iterator[tuple[Key, int]]:
    destination_id, number = message.destination_id, message.number
    for said in message.statements:
        order = said.at_s << 1 | (not said.active)
        yield (destination_id, said.aam_uuid, said.segment_id), order << _NUMBER_BITS | number


def _expectation(certain: int | None, possible: tuple[int, int]) -> Expectation:
    floor = -1 if certain is None else certain >> _NUMBER_BITS
    candidates = [rank for rank in possible if rank >> _NUMBER_BITS > floor]
    if certain is not None:
        candidates.append(certain)
    inactive = [bool(rank >> _NUMBER_BITS & 1) for rank in candidates]
    decisive = max(candidates)
    return Expectation(
        may_be_active=not all(inactive),
        may_be_inactive=any(inactive),
        may_be_absent=certain is None,
        message=decisive & _NUMBER_MASK,
        at_s=decisive >> _NUMBER_BITS + 1,
    )
