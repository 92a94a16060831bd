import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from runtime.loop_histogram import LoopHistogram, Observations

BOUNDS = (0.001, 0.5, 1.0, 3.0)
VALUES = (0.0, 0.001, 0.0011, 0.5, 0.7, 1.0, 3.0, 3.1, 100.0)


def test_it_is_exposed_as_the_library_exposes_its_own() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    cheap = LoopHistogram("waited_seconds", "How long.", "who", BOUNDS, ours)
    reference = Histogram("waited_seconds", "How long.", ["who"], buckets=BOUNDS, registry=theirs)
    for who, values in (("one", VALUES), ("other", VALUES[:2]), ("nobody", ())):
        for histogram in (cheap, reference):
            child = histogram.labels(who)
            for value in values:
                child.observe(value)
    assert lines(ours) == lines(theirs)


def test_without_a_label_it_is_exposed_as_the_library_exposes_its_own() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    cheap = LoopHistogram("waited_seconds", "How long.", None, BOUNDS, ours)
    reference = Histogram("waited_seconds", "How long.", buckets=BOUNDS, registry=theirs)
    assert lines(ours) == lines(theirs)
    for value in VALUES:
        cheap.alone.observe(value)
        reference.observe(value)
    assert lines(ours) == lines(theirs)


def test_many_at_once_are_what_they_are_one_by_one() -> None:
    together, apart = Observations(BOUNDS), Observations(BOUNDS)
    for values in (VALUES, reversed(VALUES), (), (7.0,)):
        given = list(values)
        together.observe_all(given)
        for value in given:
            apart.observe(value)
    assert together.cumulated()[0] == apart.cumulated()[0]
    assert together.cumulated()[1] == pytest.approx(apart.cumulated()[1])


def lines(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
