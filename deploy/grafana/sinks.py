"""Sinks: what is delivered, how late, and what is refused."""

from deploy.grafana.board import Board, Panel, Query, Row, quantiles

_RATE = "[$__rate_interval]"

_ALL = Row(
    "Every sink",
    (
        Panel(
            title="Records done",
            means="Written, or refused for good and set aside.",
            queries=(Query(f"sum by (sink, result) (rate(segwire_sink_records_total{_RATE}))", "{{sink}} {{result}}"),),
            unit="cps",
        ),
        Panel(
            title="Put off",
            means="Batches that could not be written, and come again.",
            queries=(Query(f"sum by (sink) (rate(segwire_sink_failures_total{_RATE})) or vector(0)", "{{sink}}"),),
            unit="cps",
        ),
        Panel(
            title="Given up for now",
            means="1: only tried now and then, until it answers again. No other sink is held back.",
            queries=(Query("max by (sink) (segwire_sink_breaker_open) or vector(0)", "{{sink}}"),),
        ),
        Panel(
            title="Time to write a batch",
            means="Of the database or the partner.",
            queries=quantiles("segwire_sink_write_seconds", by="sink"),
            unit="s",
        ),
        Panel(
            title="Seconds behind",
            means="Age of the last record done while some wait; processors are here, too.",
            queries=(Query("max by (processor) (segwire_processor_lag_seconds)", "{{processor}}"),),
            unit="s",
        ),
        Panel(
            title="Records behind",
            means="Those that wait in Kafka, by sink and processor.",
            queries=(Query("sum by (processor) (segwire_processor_lag_records)", "{{processor}}"),),
        ),
    ),
)
_OUTBOUND = Row(
    "Destinations",
    (
        Panel(
            title="Messages",
            means="Delivered, parked as dead letters, or put off: those come again.",
            queries=(
                Query(
                    f"sum by (sink, result) (rate(segwire_outbound_messages_total{_RATE})) or vector(0)",
                    "{{sink}} {{result}}",
                ),
            ),
            unit="cps",
        ),
        Panel(
            title="Users sent, and why",
            means="New in a segment, out of one, another mapping, another partner ID, or the repeat after three days.",
            queries=(
                Query(
                    f"sum by (sink, reason) (rate(segwire_outbound_users_total{_RATE})) or vector(0)",
                    "{{sink}} {{reason}}",
                ),
            ),
            unit="cps",
        ),
        Panel(
            title="Time to the partner's answer",
            means="Of each attempt. At 3 s it is given up, and tried once more.",
            queries=quantiles("segwire_outbound_attempt_seconds", by="sink"),
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
