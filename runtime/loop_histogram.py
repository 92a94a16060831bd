"""A histogram that is cheap to observe, for one thread that observes very often."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector


class Observations:
    """Counts observations of one thread, without a lock; any thread may look."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Begin with none; `bounds` are the upper bounds of the buckets in ascending order, without infinity."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def observe_all(self, values: Iterable[float]) -> None:
        """Count many values, for much less than one by one."""
        ordered = sorted(values)
        below = 0
        for index, bound in enumerate(self._bounds):
            reached = bisect_right(ordered, bound, below)
            self._counts[index] += reached - below
            below = reached
        self._counts[-1] += len(ordered) - below
        self._sum += sum(ordered)

    def cumulated(self) -> tuple[list[tuple[str, float]], float]:
        """Return how many are at or below each bound, and the sum of all."""
        counts, total = list(self._counts), self._sum
        below, buckets = 0, []
        for bound, count in zip((*self._bounds, float("inf")), counts, strict=True):
            below += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), float(below)))
        return buckets, total


class LoopHistogram(Collector):
    """One set of observations for each value of a label, or one alone; exposed as every other histogram."""

    def __init__(
        self,
        name: str,
        documentation: str,
        label: str | None,
        buckets: Sequence[float],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        """Register it; `buckets` are upper bounds in ascending order, without infinity.

        Without a `label` there is one set of observations, `alone`.
        """
        self.name = name
        self._documentation = documentation
        self.label = label
        self._bounds = tuple(map(float, buckets))
        self._of: dict[str, Observations] = {}
        self.alone = Observations(self._bounds)
        registry.register(self)

    def labels(self, value: str) -> Observations:
        """Return the observations of a value of the label; keep it, as to find it costs more than to observe."""
        return self._of.setdefault(value, Observations(self._bounds))

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """Return the family without samples."""
        return [self._family()]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Return the family as it is now."""
        family = self._family()
        if self.label is None:
            family.add_metric([], *self.alone.cumulated())
        for value, observations in list(self._of.items()):
            buckets, total = observations.cumulated()
            family.add_metric([value], buckets, total)
        return [family]

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self.name, self._documentation, labels=[] if self.label is None else [self.label])
