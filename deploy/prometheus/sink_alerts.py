"""Alerts of the sinks: whom we cannot deliver to."""

from deploy.prometheus.alert import Alert

SINK_ALERTS = (
    Alert(
        name="SegwireSinkGivenUp",
        expr="max by (namespace, sink) (segwire_sink_breaker_open) == 1",
        held_for="10m",
        severity="ticket",
        says="Sink {{ $labels.sink }} cannot be written to; its records wait in Kafka, no other sink is held back.",
        first="Its log names the error: is the database or the partner there, is the credential good?",
        runbook="sink-given-up",
    ),
    Alert(
        name="SegwireSinkRefused",
        expr='sum by (namespace, sink) (rate(segwire_sink_records_total{result="refused"}[15m])) > '
        "0.01 * sum by (namespace, sink) (rate(segwire_sink_records_total[15m]))",
        held_for="15m",
        severity="ticket",
        says="More than one in a hundred records is refused by sink {{ $labels.sink }} for good.",
        first="`segwire dead-letters list --stage sink:{{ $labels.sink }}` says why.",
        runbook="sink-refused",
    ),
)
