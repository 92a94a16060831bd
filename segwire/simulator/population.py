"""Who is simulated: users with their partner IDs and memberships, and the destinations that hear of them."""

from bisect import bisect
from itertools import accumulate
from random import Random

import msgspec

from segwire.simulator.randomness import seeded

REGIONS = (3, 4, 6, 7, 8, 9, 11, 12)
GAID, IDFA, TIFA = 20914, 20915, 963906
NO_TRACKING = "00000000-0000-0000-0000-000000000000"

_FIRST_CRM_DPID = 12345
_FIRST_DESTINATION = 423
_FIRST_SEGMENT = 10_000
_HISTORY_S = 20 * 86_400
_USER_SKEW, _SEGMENT_SKEW = 0.8, 1.05
_MEMBERSHIPS_MEAN = 6
_MEMBERSHIPS_MAX = 40


class Destination(msgspec.Struct, frozen=True):
    """A destination, its own data source, and the segments (by number) that are mapped to it."""

    destination_id: str
    crm_dpid: int
    mapped: frozenset[int]


class Held(msgspec.Struct, frozen=True, gc=False):
    """What the sender holds of one membership: its status and when that was last verified (epoch seconds)."""

    active: bool
    at_s: int


class Person(msgspec.Struct):
    """A user as the sender knows them. `held` goes from segment numbers to what is held."""

    aam_uuid: str
    devices: tuple[tuple[int, str], ...]
    held: dict[int, Held]

    def crm_uuid(self, destination: Destination) -> str:
        """Return the user's ID in the destination's own data source: digits, or text with a delimiter in it."""
        tail = self.aam_uuid[-10:]
        return f"{destination.crm_dpid}{tail}" if tail[-1] in "02468" else f"crm|{destination.crm_dpid}|{tail}"


class Skew:
    """Draws numbers from 0 to `count` - 1, small ones far more often (Zipf's law)."""

    def __init__(self, count: int, exponent: float) -> None:
        self._sums = list(accumulate(1.0 / (rank + 1) ** exponent for rank in range(count)))

    def draw(self, rng: Random) -> int:
        """Return the next number."""
        return bisect(self._sums, rng.random() * self._sums[-1], 0, len(self._sums) - 1)


def segment_id(number: int) -> str:
    """Return a segment's ID: digits, and for one in twenty the text that a destination's mapping gave it."""
    return f"vip|{number}" if number % 20 == 19 else str(_FIRST_SEGMENT + number)


def make_destinations(seed: int, count: int, segments: int) -> tuple[Destination, ...]:
    """Return the destinations; the first takes every segment, the others about two thirds."""
    rng = seeded(seed, "destinations")
    return tuple(
        Destination(
            destination_id=str(_FIRST_DESTINATION + number),
            crm_dpid=_FIRST_CRM_DPID + number,
            mapped=frozenset(s for s in range(segments) if number == 0 or rng.random() < 2 / 3),
        )
        for number in range(count)
    )


class Population:
    """Makes each user when first asked for; a user depends on the seed and their number alone."""

    def __init__(self, *, seed: int, users: int, segments: int, start_s: int) -> None:
        self._seed = seed
        self._start_s = start_s
        self._by_activity = Skew(users, _USER_SKEW)
        self.by_popularity = Skew(segments, _SEGMENT_SKEW)
        self._segments = segments
        self._people: dict[int, Person] = {}

    def draw(self, rng: Random) -> tuple[int, Person]:
        """Return some user's number and the user, active ones more often."""
        number = self._by_activity.draw(rng)
        return number, self.person(number)

    def person(self, number: int) -> Person:
        """Return a user by number."""
        known = self._people.get(number)
        if known is None:
            known = self._people[number] = self._make(number)
        return known

    def _make(self, number: int) -> Person:
        rng = seeded(self._seed, f"user:{number}")
        return Person(aam_uuid=_aam_uuid(rng), devices=_devices(rng), held=self._history(rng))

    def _history(self, rng: Random) -> dict[int, Held]:
        """What the user was in before the run began; one user in twenty is in no segment."""
        if rng.random() < 0.05:
            return {}
        wanted = min(1 + int(rng.expovariate(1 / _MEMBERSHIPS_MEAN)), _MEMBERSHIPS_MAX, self._segments)
        numbers = {self.by_popularity.draw(rng) for _ in range(wanted)}
        return {n: Held(active=True, at_s=self._start_s - rng.randrange(1, _HISTORY_S)) for n in sorted(numbers)}


def _aam_uuid(rng: Random) -> str:
    """38 digits; one in thirty has 43 and a leading zero, which no integer can keep."""
    if rng.random() < 1 / 30:
        return f"0{rng.randrange(10**41, 10**42)}"
    return str(rng.randrange(10**37, 10**38))


def _devices(rng: Random) -> tuple[tuple[int, str], ...]:
    """Up to three device IDs of different data sources, each in its right form; some owners limit ad tracking."""
    devices = []
    if rng.random() < 0.4:
        devices.append((GAID, NO_TRACKING if rng.random() < 0.02 else _hex_id(rng)))
    if rng.random() < 0.4:
        devices.append((IDFA, NO_TRACKING if rng.random() < 0.02 else _hex_id(rng).upper()))
    if rng.random() < 0.15:
        devices.append((TIFA, f"{rng.getrandbits(128):032x}"))
    return tuple(devices)


def _hex_id(rng: Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
