"""Overview: is the data safe, is it late, who is hurt, and what to do."""

import re
from dataclasses import replace

from deploy.grafana.board import Board, Panel, Query, Row, quantile, stat
from deploy.grafana.shared import GIVEN_UP, REFUSED, SECONDS_BEHIND, SET_ASIDE, UNTIL_VISIBLE
from deploy.prometheus.render import ALERTS

_SAFE = Row(
    "Is the data safe?",
    (
        stat(
            "Alerts firing",
            "Ours alone; needs the rules of deploy/prometheus to be loaded.",
            'count(ALERTS{alertname=~"Segwire.+",alertstate="firing"}) or on() vector(0)',
            bad_from=1,
        ),
        stat(
            "Perhaps lost, 24 h",
            "Messages answered 503: the sender tries once more, then they are gone. Must be 0.",
            "ceil(sum(increase(segwire_ingest_loss_risk_total[24h])) or on() vector(0))",
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
            now=True,
        ),
    ),
)
_LATE = Row(
    "Is it late?",
    (
        stat(
            "Acknowledged within 3 s, 1 h",
            "Of all authenticated messages. Promised: 99.99 % over 30 days.",
            "1 - max(segwire:acknowledged_errors:ratio_1h)",
            unit="percentunit",
            good_from=0.9999,
        ),
        stat(
            "Visible within 1 s, 1 h",
            "Of all users of messages; while nothing comes though something waits, of the time. Promised: 99.9 % over "
            "30 days.",
            "1 - max(segwire:visible_errors:ratio_1h)",
            unit="percentunit",
            good_from=0.999,
        ),
        stat(
            "Slowest answers (p99)",
            "From the whole body received to the answer; the sender waits 3 s.",
            quantile(0.99, "segwire_ingest_answer_seconds"),
            unit="s",
            bad_from=1,
        ),
        stat(
            "Slowest to be visible (p99)",
            "From a message received to what follows of it committed.",
            quantile(0.99, "segwire_membership_visible_seconds"),
            unit="s",
            bad_from=1,
        ),
        stat(
            "Being restored",
            "Partitions whose state is read from the changelog, and which wait so long.",
            "sum(segwire_processor_restoring_partitions)",
        ),
        stat(
            "Looking for a bad record",
            "Processes that try a few records at a time, as one fails or ended the process: they are slow so long.",
            "sum(segwire_processor_isolating) or on() vector(0)",
            bad_from=1,
        ),
        replace(UNTIL_VISIBLE, width=12),
        replace(SECONDS_BEHIND, width=12),
    ),
)
_HURT = Row("Who is hurt?", (REFUSED, SET_ASIDE, GIVEN_UP))


def _what_to_do() -> str:
    lines = ["| alert | | what it says | first | runbook |", "|---|---|---|---|---|"]
    for alert in ALERTS:
        page = f"${{runbooks}}/{alert.runbook}.md"
        cells = (alert.name, alert.severity, _in_words(alert.says), _in_words(alert.first), f"[{page}]({page})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _in_words(template: str) -> str:
    """Return what an alert says with its labels and values as words, as nothing fires here that has any."""
    words = template.replace("{{ $value | humanizeDuration }}", "*so long*").replace("{{ $value }}", "*so many*")
    return re.sub(r"{{ \$labels\.(\w+) }}", r"*\1*", words)


OVERVIEW = Board(
    name="overview",
    title="Overview",
    means="Is the data safe, is it late, who is hurt, and what to do.",
    rows=(_SAFE, _LATE, _HURT),
    text_title="What to do",
    text=_what_to_do(),
)
