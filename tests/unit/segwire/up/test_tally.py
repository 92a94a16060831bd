"""Figures from the children's metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

import runtime.metrics
from segwire.up.tally import Tally
from segwire.up.view import SinkFigures


def _ingest(ok: int, refused: int = 0) -> str:
    return (
        f'segwire_ingest_answers_total{{source="dev",status="200",problem=""}} {ok}\n'
        f'segwire_ingest_answers_total{{source="dev",status="400",problem="malformed-message"}} {refused}\n'
    )


def test_rates_are_of_the_last_seconds() -> None:
    tally = Tally()
    tally.observe("ingest", _ingest(0))
    tally.figures(0)
    tally.observe("ingest", _ingest(100))
    assert tally.figures(1000).posts_per_s == 100
    for second in range(2, 8):
        figures = tally.figures(second * 1000)
    assert figures.posts_per_s == 0
    assert figures.posts == 100


def test_totals_survive_a_restart_of_the_child() -> None:
    tally = Tally()
    for ok in (5, 8, 2, 3):
        tally.observe("ingest", _ingest(ok))
    assert tally.figures(0).posts == 11


def test_a_child_that_does_not_answer_changes_nothing() -> None:
    tally = Tally()
    tally.observe("ingest", _ingest(5, refused=1))
    tally.observe("ingest", "")
    figures = tally.figures(0)
    assert (figures.posts, figures.not_ok) == (6, 1)


def _sink(records: int, lag: int) -> str:
    return (
        f'segwire_processor_records_total{{processor="sink-a"}} {records}\n'
        f'segwire_processor_records_total{{processor="sink-a:changes"}} {records}\n'
        f'segwire_processor_lag_records{{processor="sink-a"}} {lag}\n'
    )


def test_a_sink_has_figures_of_its_own_also_after_its_restart() -> None:
    tally = Tally()
    tally.figures(0)
    tally.observe("sink-a", _sink(10, 5))
    assert tally.figures(1000).sinks == {"sink-a": SinkFigures(20, 5)}
    tally.observe("sink-a", _sink(5, 0))
    assert tally.figures(2000).sinks == {"sink-a": SinkFigures(15, 0)}


def test_events_are_only_what_went_to_their_topic() -> None:
    tally = Tally()
    tally.observe(
        "fan-out",
        'segwire_processor_outputs_total{processor="fan-out",topic="segment-events"} 7\n'
        'segwire_processor_outputs_total{processor="fan-out",topic="dead-letters"} 2\n'
        'segwire_dead_letters_total{stage="fan-out",error="InvalidRecord"} 2\n'
        'segwire_processor_lag_records{processor="fan-out"} 3\n',
    )
    figures = tally.figures(0)
    assert (figures.events, figures.dead_letters, figures.fan_out_lag_records) == (7, 2, 3)


def test_dead_letters_of_all_services_are_added_up() -> None:
    tally = Tally()
    for service, count in (("ingest", 1), ("fan-out", 2), ("membership", 4)):
        tally.observe(service, f'segwire_dead_letters_total{{stage="{service}",error="X"}} {count}\n')
    assert tally.figures(0).dead_letters == 7


def test_gauges_are_the_latest() -> None:
    tally = Tally()
    for users in (5, 3):
        tally.observe("membership", f"segwire_membership_users {users}\nsegwire_membership_active {users * 2}\n")
    figures = tally.figures(0)
    assert (figures.users, figures.memberships) == (3, 6)


def test_every_name_is_one_that_the_services_expose() -> None:
    registry = CollectorRegistry()
    for metric in vars(runtime.metrics).values():
        if isinstance(metric, Counter | Gauge):
            registry.register(metric)
    exposed = generate_latest(registry).decode()
    read = """ingest_answers processor_outputs membership_changes dead_letters
              processor_lag_records membership_users membership_active"""
    for name in read.split():
        assert f"segwire_{name}" in exposed
