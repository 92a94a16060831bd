"""Figures from the children's metrics: rates, and totals that survive a child's restart.

Pure: the time is an argument.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from schemas.topics import SEGMENT_EVENTS
from segwire.up.view import Figures, SinkFigures

_WINDOW_MS = 5_000

Labels = Mapping[str, str]


@dataclass(frozen=True)
class _Series:
    """The samples of one metric that make one figure."""

    sample: str
    wanted: Callable[[Labels], bool] = lambda _labels: True


_COUNTERS = {
    "posts": _Series("segwire_ingest_answers_total"),
    "not_ok": _Series("segwire_ingest_answers_total", lambda labels: labels.get("status") != "200"),
    "events": _Series("segwire_processor_outputs_total", lambda labels: labels.get("topic") == SEGMENT_EVENTS.name),
    "changes": _Series("segwire_membership_changes_total"),
    "dead_letters": _Series("segwire_dead_letters_total"),
}
# Names of services, and of figures of their own.
_SINK = "sink-"
_RECORDS = _Series("segwire_processor_records_total")
_GAUGES = {
    "lag_records": _Series("segwire_processor_lag_records"),
    "users": _Series("segwire_membership_users"),
    "memberships": _Series("segwire_membership_active"),
}


class Tally:
    """Adds up what the children expose."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._last: dict[tuple[str, str], float] = {}
        self._totals = dict.fromkeys(_COUNTERS, 0.0)
        self._gauges: dict[tuple[str, str], float] = {}
        self._history: deque[tuple[int, dict[str, float]]] = deque()

    def observe(self, service: str, metrics: str) -> None:
        """Take one child's exposition; empty where it gave none."""
        if not metrics:
            return
        samples = list(_samples(metrics))
        for figure, series in _COUNTERS.items():
            self._add(service, figure, _sum(samples, series))
        if service.startswith(_SINK):
            self._totals.setdefault(service, 0.0)
            self._add(service, service, _sum(samples, _RECORDS))
        for figure, series in _GAUGES.items():
            self._gauges[service, figure] = _sum(samples, series)

    def _add(self, service: str, figure: str, value: float) -> None:
        before = self._last.get((service, figure), 0.0)
        # A counter that went back belongs to a new process, and began at 0.
        self._totals[figure] += value - before if value >= before else value
        self._last[service, figure] = value

    def figures(self, now_ms: int) -> Figures:
        """Return the figures at `now_ms` (monotonic; never goes back)."""
        self._history.append((now_ms, dict(self._totals)))
        while len(self._history) > 1 and self._history[1][0] <= now_ms - _WINDOW_MS:
            self._history.popleft()
        return Figures(
            posts_per_s=self._rate("posts"),
            events_per_s=self._rate("events"),
            changes_per_s=self._rate("changes"),
            **{figure: int(self._totals[figure]) for figure in _COUNTERS},
            fan_out_lag_records=int(self._gauges.get(("fan-out", "lag_records"), 0)),
            membership_lag_records=int(self._gauges.get(("membership", "lag_records"), 0)),
            users=int(self._gauges.get(("membership", "users"), 0)),
            memberships=int(self._gauges.get(("membership", "memberships"), 0)),
            sinks={
                name: SinkFigures(self._rate(name), int(self._gauges.get((name, "lag_records"), 0)))
                for name in self._totals
                if name.startswith(_SINK)
            },
        )

    def _rate(self, figure: str) -> float:
        (first_ms, first), (last_ms, last) = self._history[0], self._history[-1]
        if last_ms <= first_ms:
            return 0.0
        return (last[figure] - first.get(figure, 0.0)) * 1000 / (last_ms - first_ms)


def _samples(metrics: str) -> Iterator[tuple[str, Labels, float]]:
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def _sum(samples: list[tuple[str, Labels, float]], series: _Series) -> float:
    return sum(value for name, labels, value in samples if name == series.sample and series.wanted(labels))
