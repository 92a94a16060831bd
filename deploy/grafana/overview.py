"""Overview: is the data safe, is it late, who is hurt, and what to do."""

from deploy.grafana.board import Board, Panel, Query, Row, stat
from deploy.prometheus.render import ALERTS

_SAFE = Row(
    "Is the data safe?",
    (
        stat(
            "Alerts firing",
            "Ours alone; needs the rules of deploy/prometheus to be loaded.",
            'count(ALERTS{alertname=~"Segwire.+",alertstate="firing"}) or vector(0)',
            bad_from=1,
        ),
        stat(
            "Perhaps lost, 24 h",
            "Messages answered 503: the sender tries once more, then they are gone. Must be 0.",
            "ceil(sum(increase(segwire_ingest_loss_risk_total[24h])) or vector(0))",
            bad_from=1,
        ),
        stat(
            "Waiting on disk",
            "Acknowledged messages that Kafka does not have yet. Safe, but late.",
            "sum(segwire_ingest_spool_records)",
        ),
        stat(
            "Oldest on disk",
            "How long the oldest of them has waited.",
            "max(segwire_ingest_spool_oldest_age_seconds)",
            unit="s",
            bad_from=900,
        ),
        stat(
            "Damage in spools, 24 h",
            "Places that were synced and cannot be read any more. Must be 0.",
            "ceil(sum(increase(segwire_ingest_spool_corrupt_total[24h])))",
            bad_from=1,
        ),
        Panel(
            title="State of the endpoints",
            means="kafka-ok is all that should be here.",
            queries=(Query("count by (state) (segwire_ingest_state == 1)", "{{state}}"),),
            kind="stat",
            width=4,
        ),
    ),
)
_LATE = Row(
    "Is it late?",
    (
        stat(
            "Acknowledged within 3 s, 1 h",
            "Of all authenticated messages. Promised: 99.99 % over 30 days.",
            "1 - min(segwire:acknowledged_errors:ratio_1h)",
            unit="percentunit",
            good_from=0.9999,
        ),
        stat(
            "Visible within 1 s, 1 h",
            "Share of the time in which no processor was more than a second behind. Promised: 99.9 % over 30 days.",
            "1 - max(segwire:visible_errors:ratio_1h)",
            unit="percentunit",
            good_from=0.999,
        ),
        stat(
            "Slowest answers (p99)",
            "From the whole body received to the answer; the sender waits 3 s.",
            "histogram_quantile(0.99, sum by (le) (rate(segwire_ingest_answer_seconds_bucket[$__rate_interval])))",
            unit="s",
            bad_from=1,
        ),
        stat(
            "Being restored",
            "Partitions whose state is read from the changelog, and which wait so long.",
            "sum(segwire_processor_restoring_partitions)",
        ),
        Panel(
            title="Seconds behind",
            means="Age of the last processed record, by processor; sinks are here, too.",
            queries=(Query("max by (processor) (segwire_processor_lag_seconds)", "{{processor}}"),),
            unit="s",
        ),
    ),
)
_HURT = Row(
    "Who is hurt?",
    (
        Panel(
            title="Refused",
            means="By source and problem. 401 is a key or a clock, 400 a message that is none.",
            queries=(
                Query(
                    'sum by (source, problem) (rate(segwire_ingest_answers_total{status!="200"}[$__rate_interval])) '
                    "or vector(0)",
                    "{{source}} {{problem}}",
                ),
            ),
            unit="reqps",
        ),
        Panel(
            title="Set aside",
            means="Dead letters, by stage and error. `segwire dead-letters list` shows them.",
            queries=(
                Query(
                    "sum by (stage, error) (rate(segwire_dead_letters_total[$__rate_interval])) or vector(0)",
                    "{{stage}} {{error}}",
                ),
            ),
            unit="cps",
        ),
        Panel(
            title="Sinks that cannot be written to",
            means="1: given up for now. Its records wait, no other sink is held back.",
            queries=(Query("max by (sink) (segwire_sink_breaker_open) or vector(0)", "{{sink}}"),),
        ),
    ),
)


def _what_to_do() -> str:
    lines = ["| alert | | what it says | first | |", "|---|---|---|---|---|"]
    for alert in ALERTS:
        says = (
            alert.says.replace("{{ $labels.", "*")
            .replace(" }}", "*")
            .replace("{{ $value | humanizeDuration", "*so long")
        )
        says = says.replace("{{ $value", "*so many")
        first = alert.first.replace("{{ $labels.", "").replace(" }}", "")
        lines.append(
            f"| {alert.name} | {alert.severity} | {says} | {first} | [runbook](${{runbooks}}/{alert.runbook}.md) |"
        )
    return "\n".join(lines)


OVERVIEW = Board(
    name="overview",
    title="Overview",
    means="Is the data safe, is it late, who is hurt, and what to do.",
    rows=(_SAFE, _LATE, _HURT),
    text_title="What to do",
    text=_what_to_do(),
)
