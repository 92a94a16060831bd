"""Sinks: what is delivered, how late, and what is refused."""

from deploy.grafana.board import Board, Row, graph, quantiles, rate
from deploy.grafana.shared import GIVEN_UP, RECORDS_BEHIND, SECONDS_BEHIND

_ALL = Row(
    "Every sink",
    (
        graph(
            "Records done",
            "Written, or refused for good and set aside.",
            rate("segwire_sink_records_total", "sink", "result"),
            unit="cps",
        ),
        graph(
            "Put off",
            "Batches that could not be written, and come again.",
            rate("segwire_sink_failures_total", "sink", seldom=True),
            unit="cps",
        ),
        GIVEN_UP,
        graph(
            "Time to write a batch",
            "Of the database or the partner.",
            *quantiles("segwire_sink_write_seconds", "sink"),
            unit="s",
        ),
        SECONDS_BEHIND,
        RECORDS_BEHIND,
    ),
)
_OUTBOUND = Row(
    "Destinations",
    (
        graph(
            "Messages",
            "Delivered, parked as dead letters, or put off: those come again.",
            rate("segwire_outbound_messages_total", "sink", "result", seldom=True),
            unit="cps",
        ),
        graph(
            "Users sent, and why",
            "New in a segment, out of one, another mapping, another partner ID, or the repeat after three days.",
            rate("segwire_outbound_users_total", "sink", "reason", seldom=True),
            unit="cps",
        ),
        graph(
            "Time to the partner's answer",
            "Of each attempt. At 3 s it is given up, and tried once more.",
            *quantiles("segwire_outbound_attempt_seconds", "sink"),
            unit="s",
        ),
    ),
)

SINKS = Board(
    name="sinks",
    title="Sinks",
    means="Databases and destinations: what is delivered, how late, what is refused.",
    rows=(_ALL, _OUTBOUND),
)
