"""What is counted while a run goes on: messages, answers, latencies."""

from collections import Counter
from math import log

_GROWTH = log(1.01)
_FLOOR_MS = 0.01


class Latencies:
    """A histogram of milliseconds: about 1 % wide buckets, so that an endless run stays small."""

    def __init__(self) -> None:
        """Start empty."""
        self._buckets: Counter[int] = Counter()
        self._max_ms = 0.0

    def add(self, latency_ms: float) -> None:
        """Count one latency."""
        self._buckets[int(log(max(latency_ms, _FLOOR_MS) / _FLOOR_MS) / _GROWTH)] += 1
        self._max_ms = max(self._max_ms, latency_ms)

    def percentile_ms(self, percent: float) -> float:
        """Return the latency that `percent` of 100 did not exceed, at most 1 % too high; 0 when empty."""
        wanted = self._buckets.total() * percent / 100
        for bucket in sorted(self._buckets):
            wanted -= self._buckets[bucket]
            if wanted <= 1e-9:
                return min(_FLOOR_MS * 1.01 ** (bucket + 1), self._max_ms)
        return self._max_ms

    def summary(self) -> dict[str, float]:
        """Return the usual percentiles, rounded to microseconds."""
        percentiles = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}
        found = {name: round(self.percentile_ms(percent), 3) for name, percent in percentiles.items()}
        return {**found, "max": round(self._max_ms, 3)}


class Tally:
    """The counts of a run. Each message ends as acknowledged or failed; `answers` counts attempts.

    `answered_ms` runs from the first attempt to the last answer, of acknowledged messages; `from_plan_ms` from the
    planned moment, so that a receiver which holds the sender up is seen to.
    """

    def __init__(self) -> None:
        """Start at zero."""
        self.sent = 0
        self.acknowledged = 0
        self.failed = 0
        self.retried = 0
        self.answers: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.answered_ms = Latencies()
        self.from_plan_ms = Latencies()
        self.elapsed_s = 0.0

    @property
    def achieved_per_s(self) -> float:
        """Messages acknowledged a second, over the whole run."""
        return self.acknowledged / self.elapsed_s if self.elapsed_s else 0.0
