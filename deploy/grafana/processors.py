"""Processors: what goes in and out, how late it is, transactions, state, timers."""

from deploy.grafana.board import Board, Query, Row, graph, level, quantiles, rate, risen
from deploy.grafana.shared import RECORDS_BEHIND, SECONDS_BEHIND, SET_ASIDE, UNTIL_VISIBLE

_PROCESSOR = "processor"

_FLOW = Row(
    "In and out",
    (
        graph(
            "Records in", "Input records committed.", rate("segwire_processor_records_total", _PROCESSOR), unit="cps"
        ),
        graph(
            "Records out",
            "Output records committed, by topic.",
            rate("segwire_processor_outputs_total", _PROCESSOR, "topic"),
            unit="cps",
        ),
        graph(
            "Users of messages",
            "Each becomes an event or is set aside alone. Mismatches: a User_count that is not their number.",
            rate("segwire_fan_out_users_total", "result"),
            rate("segwire_fan_out_user_count_mismatches_total", legend="count mismatches"),
            rate("segwire_fan_out_all_zero_ids_total", legend="all-zero IDs"),
            unit="cps",
        ),
    ),
)
_LATE = Row(
    "How late",
    (
        UNTIL_VISIBLE,
        SECONDS_BEHIND,
        RECORDS_BEHIND,
        graph(
            "Time to commit",
            "Where it grows, look at the brokers.",
            *quantiles("segwire_processor_commit_seconds", _PROCESSOR),
            unit="s",
        ),
        graph(
            "Waiting for what they write to",
            "1 while records wait as their target takes nothing.",
            level("segwire_processor_backpressure", _PROCESSOR, how="max", seldom=True),
            risen("segwire_processor_backpressures_total", _PROCESSOR, legend="pauses", seldom=True),
        ),
        graph(
            "Partitions",
            "Assigned: all of them, over the processes of a processor. A step down is a process that left.",
            level("segwire_processor_assigned_partitions", _PROCESSOR),
        ),
    ),
)


def _last_hour(metric: str) -> str:
    """Return what a process said of its end: its series begins with it, so nothing is seen to rise."""
    return f"max_over_time({metric}[1h])"


_FAULTS = Row(
    "What fails",
    (
        graph(
            "Aborted",
            "Repeated, never lost or doubled; and producers replaced as nobody knew the outcome.",
            rate("segwire_processor_aborts_total", _PROCESSOR, seldom=True),
            rate("segwire_processor_producers_replaced_total", _PROCESSOR, legend="producers replaced", seldom=True),
            unit="cps",
        ),
        graph(
            "Records that fail",
            "By error. Isolating: small portions are tried, to find the one that fails or ends the process.",
            risen("segwire_processor_failures_total", _PROCESSOR, "error", seldom=True),
            level("segwire_processor_isolating", _PROCESSOR, how="max", legend="isolating", seldom=True),
        ),
        SET_ASIDE,
        graph(
            "Ended by themselves",
            "In the last hour. Watchdog: no progress. An invariant: rather than publish wrong state.",
            level(_last_hour("segwire_processor_watchdog_total"), _PROCESSOR, legend="watchdog", seldom=True),
            level(_last_hour("segwire_processor_invariant_broken"), _PROCESSOR, "invariant", seldom=True),
        ),
        graph(
            "Memory",
            "Of each process that has a processor or a sink.",
            Query("process_resident_memory_bytes and on (instance) segwire_processor_lag_records", "{{instance}}"),
            unit="bytes",
        ),
        graph(
            "Traces",
            "Spans of every service that the collector took, or that were dropped as it did not. None where it is off.",
            rate("segwire_trace_spans_total", "result", seldom=True),
            unit="cps",
        ),
    ),
)
_STATE = Row(
    "State and time",
    (
        graph(
            "Restoring",
            "Partitions that wait for their state.",
            level("segwire_processor_restoring_partitions", _PROCESSOR, legend="partitions"),
            level("segwire_processor_restore_remaining_records", _PROCESSOR, legend="records left"),
        ),
        graph(
            "Restored in",
            "How long the slowest process takes yet, as quick as it was so far.",
            level("segwire_processor_restore_eta_seconds", _PROCESSOR, how="max", seldom=True),
            unit="s",
        ),
        graph(
            "Restored",
            "Changelog records read.",
            rate("segwire_processor_restored_records_total", _PROCESSOR, seldom=True),
            unit="cps",
        ),
        graph(
            "Size of the state",
            "The local store's files, by process.",
            level("segwire_processor_state_bytes", _PROCESSOR, "instance"),
            unit="bytes",
        ),
        graph(
            "Timers due",
            "Found in the last turn, up to its budget: at the budget for long, expiries are late.",
            level("segwire_processor_timers_due", _PROCESSOR),
        ),
        graph(
            "May timers go on?",
            "Free: yes. Waiting: something received earlier is still upstream. Stopped: clocks differ.",
            rate("segwire_processor_horizon_checks_total", "result"),
            rate("segwire_processor_timers_stopped_total", legend="stopped", seldom=True),
            unit="cps",
        ),
        graph(
            "Our clock less the broker's",
            "At 5 s nothing expires any more.",
            level("segwire_processor_clock_difference_seconds", _PROCESSOR, how="max", seldom=True),
            unit="s",
        ),
    ),
)

PROCESSORS = Board(
    name="processors",
    title="Processors",
    means="Fan-out, membership and identity: flow, lateness, faults, state.",
    rows=(_FLOW, _LATE, _FAULTS, _STATE),
)
