"""Which segments a destination gets, under which value, and from when to when. Pure. Source: wire format, section 6."""

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple


class Window(NamedTuple):
    """A segment that is sent as `value` from `start_ms` up to before `end_ms` (epoch ms); None: unbounded."""

    segment_id: str
    value: str
    start_ms: int | None = None
    end_ms: int | None = None

    def holds_at(self, now_ms: int) -> bool:
        """Tell whether it is sent at a time."""
        begun = self.start_ms is None or self.start_ms <= now_ms
        return begun and (self.end_ms is None or now_ms < self.end_ms)


class Mapping(NamedTuple):
    """The mapping as it is at one time: values by segment. Another mapping has another `fingerprint`."""

    values: dict[str, str]
    fingerprint: int


class Schedule:
    """A destination's mapping over time."""

    def __init__(self, windows: Iterable[Window], *identity: object) -> None:
        """Take `windows`; `identity` is what else would make it another destination to the partner."""
        self._windows = tuple(windows)
        self._identity = tuple(str(part) for part in identity)
        moments = {moment for window in self._windows for moment in window[2:] if moment is not None}
        self._moments = sorted(moments)
        self._cached: tuple[int, Mapping] | None = None

    def at(self, now_ms: int) -> Mapping:
        """Return the mapping at a time. One that starts or ends is a change like any other."""
        passed = sum(moment <= now_ms for moment in self._moments)
        if self._cached is None or self._cached[0] != passed:
            values = {window.segment_id: window.value for window in self._windows if window.holds_at(now_ms)}
            self._cached = passed, Mapping(values, fingerprint([*self._identity, *sorted(values.items())]))
        return self._cached[1]


def fingerprint(parts: Iterable[object]) -> int:
    """Return a number of 56 bits for what `parts` say, the same in every process and release."""
    text = json.dumps(list(parts), ensure_ascii=False, separators=(",", ":"))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=7).digest(), "big")
