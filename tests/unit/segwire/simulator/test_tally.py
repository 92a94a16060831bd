import pytest

from segwire.simulator.tally import Latencies, Tally


def test_percentiles_are_right_to_a_percent() -> None:
    latencies = Latencies()
    for latency_ms in range(1, 10_001):
        latencies.add(float(latency_ms))
    expected = {"p50": 5000, "p90": 9000, "p99": 9900, "p99.9": 9990, "max": 10_000}
    assert latencies.summary() == pytest.approx(expected, rel=0.011)


def test_no_percentile_exceeds_the_maximum() -> None:
    latencies = Latencies()
    latencies.add(7.0)
    assert set(latencies.summary().values()) == {7.0}


def test_nothing_counted_is_zero() -> None:
    assert set(Latencies().summary().values()) == {0.0}


def test_immeasurably_short_latencies_are_counted() -> None:
    latencies = Latencies()
    latencies.add(0.0)
    latencies.add(-0.001)
    assert latencies.percentile_ms(100) <= 0.01


def test_rate_is_over_the_whole_run() -> None:
    tally = Tally()
    assert tally.achieved_per_s == 0.0
    tally.acknowledged, tally.elapsed_s = 300, 20.0
    assert tally.achieved_per_s == 15.0
