"""What a PromQL expression names, and what the code declares; enough to hold one against the other."""

import re
from collections.abc import Iterator, Mapping

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from runtime import metrics
from runtime.loop_histogram import LoopHistogram

Labels = frozenset[str]

# What Prometheus adds to each series, and what its operator adds on Kubernetes.
TARGET_LABELS = frozenset({"job", "instance", "namespace", "pod"})
OF_EVERY_PROCESS: Mapping[str, Labels] = {
    "process_cpu_seconds_total": frozenset(),
    "process_resident_memory_bytes": frozenset(),
    "process_start_time_seconds": frozenset(),
    "ALERTS": frozenset({"alertname", "alertstate", "severity"}),
}
_OF_HISTOGRAMS: tuple[tuple[str, Labels], ...] = (
    ("_bucket", frozenset({"le"})),
    ("_count", frozenset()),
    ("_sum", frozenset()),
)
_SELECTOR = re.compile(r"\b((?:segwire_|process_)[a-z0-9_]+|ALERTS)\b(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")


def declared_series() -> dict[str, Labels]:
    """Return the name of every series that the code exposes, with its labels."""
    found: dict[str, Labels] = dict(OF_EVERY_PROCESS)
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            name, labels = metric._name, frozenset(metric._labelnames)
        elif isinstance(metric, LoopHistogram):
            name, labels = metric.name, frozenset({metric.label})
        else:
            continue
        for suffix, more in _suffixes(metric):
            found[name + suffix] = labels | more
    return found


def _suffixes(metric: object) -> tuple[tuple[str, Labels], ...]:
    if isinstance(metric, Counter):
        return (("_total", frozenset()),)
    if isinstance(metric, (Histogram, LoopHistogram)):
        return _OF_HISTOGRAMS
    assert isinstance(metric, Gauge)
    return (("", frozenset()),)


def selectors(expression: str) -> Iterator[tuple[str, Labels]]:
    """Yield each series that an expression selects, with the labels that it matches."""
    for name, matchers in _SELECTOR.findall(_without_groupings(expression)):
        yield name, frozenset(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"", matchers))


def groupings(expression: str) -> Labels:
    """Return every label that an expression groups or joins by."""
    return frozenset(
        label.strip() for group in _GROUPING.findall(expression) for label in group.split(",") if label.strip()
    )


def _without_groupings(expression: str) -> str:
    return _GROUPING.sub(" ", expression)


def undeclared(expression: str) -> list[str]:
    """Return what an expression names and nothing exposes: series, and labels of theirs."""
    declared = declared_series()
    findings = []
    known = set(TARGET_LABELS)
    for name, labels in selectors(expression):
        if name not in declared:
            findings.append(f"series {name}")
            continue
        known |= declared[name]
        findings += [f"label {label} of {name}" for label in labels - declared[name] - TARGET_LABELS]
    return findings + [f"grouping by {label}" for label in groupings(expression) - known]
