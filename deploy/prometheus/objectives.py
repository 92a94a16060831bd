"""Service level objectives: what is promised, and how fast the allowance for failing it burns.

Source: Google SRE workbook, chapter 5, multi-window and multi-burn-rate alerts.
"""

from dataclasses import dataclass

from deploy.prometheus.alert import Alert, Rule, Severity

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


@dataclass(frozen=True, kw_only=True)
class Objective:
    """`target` of all events are good over 30 days; `errors` is the share of bad ones, with `WINDOW` to be put in."""

    name: str
    target: float
    errors: str
    promise: str
    first: str
    runbook: str

    def recorded(self, window: str) -> str:
        """Return the name under which the share of bad events is recorded."""
        return f"segwire:{self.name}_errors:ratio_{window}"


@dataclass(frozen=True, kw_only=True)
class Burn:
    """How fast the allowance burns, seen over a long window that is sure and a short one that ends soon."""

    factor: float
    long: str
    short: str


@dataclass(frozen=True, kw_only=True)
class Urgency:
    """Burns that call for the same reaction."""

    name: str
    severity: Severity
    held_for: str
    burns: tuple[Burn, ...]


URGENCIES = (
    Urgency(
        name="Fast",
        severity="page",
        held_for="2m",
        burns=(Burn(factor=14.4, long="1h", short="5m"), Burn(factor=6, long="6h", short="30m")),
    ),
    Urgency(
        name="Slow",
        severity="ticket",
        held_for="15m",
        burns=(Burn(factor=3, long="1d", short="2h"), Burn(factor=1, long="3d", short="6h")),
    ),
)

_FAILED = 'sum by (namespace) (rate(segwire_ingest_answers_total{status=~"5.."}[WINDOW]))'
_ANSWERED = "sum by (namespace) (rate(segwire_ingest_answer_seconds_count[WINDOW]))"
_IN_TIME = 'sum by (namespace) (rate(segwire_ingest_answer_seconds_bucket{le="3.0"}[WINDOW]))'
_VISIBLE = "sum by (namespace) (rate(segwire_membership_visible_seconds_count[WINDOW]))"
_SOON = 'sum by (namespace) (rate(segwire_membership_visible_seconds_bucket{le="1.0"}[WINDOW]))'
_BEHIND = 'segwire_processor_lag_records{processor=~"fan-out|membership"}'
_WAITING = f"sum by (namespace) ({_BEHIND} or segwire_ingest_spool_records)"

OBJECTIVES = (
    Objective(
        name="acknowledged",
        target=0.9999,
        # Answers are timed where they are 200: what is late, and what is answered 5xx, is bad.
        errors=f"(({_ANSWERED} - {_IN_TIME}) + ({_FAILED} or 0 * {_ANSWERED})) / "
        f"(({_ANSWERED} + ({_FAILED} or 0 * {_ANSWERED})) > 0)",
        promise="messages answered 200 within 3 s",
        first="503 or slow? The board *Ingest* shows both; if 503, it is SegwireLossRisk.",
        runbook="acknowledged-slo",
    ),
    Objective(
        name="visible",
        target=0.999,
        # What never comes is never observed: where nothing comes, the time counts in the place of the messages.
        errors="max by (namespace) (label_replace("
        f"1 - {_SOON} / ({_VISIBLE} > 0)"
        ', "of", "messages", "", "") or label_replace('
        "avg_over_time(segwire:standing:bool[WINDOW])"
        ', "of", "time", "", ""))',
        promise="messages visible in segment-membership within 1 s",
        first="Is anything behind, or in a spool? The boards *Processors* and *Ingest* show it.",
        runbook="visible-slo",
    ),
)

STANDING: Rule = {
    "record": "segwire:standing:bool",
    "expr": f"({_WAITING} > bool 0 unless {_VISIBLE.replace('WINDOW', '2m')} > 0) or 0 * {_WAITING}",
}
"""1 where messages wait, in Kafka or on disk, and none has become visible for two minutes; else 0."""


def recorded_ratios() -> list[Rule]:
    """Return the rules that record the share of bad events over each window."""
    return [
        {"record": objective.recorded(window), "expr": objective.errors.replace("WINDOW", window)}
        for objective in OBJECTIVES
        for window in WINDOWS
    ]


def burn_alerts() -> tuple[Alert, ...]:
    """Return the alerts on allowances that burn too fast."""
    return tuple(_burn_alert(objective, urgency) for objective in OBJECTIVES for urgency in URGENCIES)


def _burn_alert(objective: Objective, urgency: Urgency) -> Alert:
    return Alert(
        name=f"Segwire{objective.name.capitalize()}Burns{urgency.name}",
        expr=" or ".join(_burning(objective, burn) for burn in urgency.burns),
        held_for=urgency.held_for,
        severity=urgency.severity,
        says=f"At this rate the 30 days' allowance for {objective.promise} ({objective.target:.4g}) is used up in at "
        f"most {30 / min(burn.factor for burn in urgency.burns):g} days.",
        first=objective.first,
        runbook=objective.runbook,
    )


def _burning(objective: Objective, burn: Burn) -> str:
    allowed = f"{burn.factor:g} * {round(1 - objective.target, 9):g}"
    return f"({objective.recorded(burn.long)} > {allowed} and {objective.recorded(burn.short)} > {allowed})"
