"""Panels that more than one board has: the same question has the same words and the same answer everywhere."""

from deploy.grafana.board import graph, level, quantiles, rate

SECONDS_BEHIND = graph(
    "Seconds behind",
    "Age of the last processed record while some wait; sinks are here, too.",
    level("segwire_processor_lag_seconds", "processor", how="max"),
    unit="s",
)
RECORDS_BEHIND = graph(
    "Records behind",
    "Those that wait in Kafka, over all partitions; sinks are here, too.",
    level("segwire_processor_lag_records", "processor"),
)
SET_ASIDE = graph(
    "Set aside",
    "Dead letters, by stage and error. `segwire dead-letters list` shows them.",
    rate("segwire_dead_letters_total", "stage", "error", seldom=True),
    unit="cps",
)
REFUSED = graph(
    "Refused",
    "By source, status and problem. 401 is a key or a clock, 400 a message that is none, 503 may lose data.",
    rate('segwire_ingest_answers_total{status!="200"}', "source", "status", "problem", seldom=True),
    unit="reqps",
)
GIVEN_UP = graph(
    "Sinks that cannot be written to",
    "1: given up for now, and tried now and then. Its records wait in Kafka, no other sink is held back.",
    level("segwire_sink_breaker_open", "sink", how="max", seldom=True),
)
UNTIL_VISIBLE = graph(
    "Time until visible",
    "From a message received to what follows of it committed, each user of it. Promised: 1 s.",
    *quantiles("segwire_membership_visible_seconds"),
    unit="s",
)
