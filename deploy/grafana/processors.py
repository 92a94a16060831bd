"""Processors: what goes in and out, how late it is, transactions, state, timers."""

from deploy.grafana.board import Board, Panel, Query, Row, quantiles

_BY = "by (processor)"
_RATE = "[$__rate_interval]"

_FLOW = Row(
    "In and out",
    (
        Panel(
            title="Records in",
            means="Input records committed.",
            queries=(Query(f"sum {_BY} (rate(segwire_processor_records_total{_RATE}))", "{{processor}}"),),
            unit="cps",
        ),
        Panel(
            title="Records out",
            means="Output records committed, by topic.",
            queries=(
                Query(
                    f"sum by (processor, topic) (rate(segwire_processor_outputs_total{_RATE}))",
                    "{{processor}} → {{topic}}",
                ),
            ),
            unit="cps",
        ),
        Panel(
            title="Users of messages",
            means="Each becomes an event or is set aside alone. Mismatches: a User_count that is not their number.",
            queries=(
                Query(f"sum by (result) (rate(segwire_fan_out_users_total{_RATE}))", "{{result}}"),
                Query(f"sum(rate(segwire_fan_out_user_count_mismatches_total{_RATE}))", "count mismatches"),
                Query(f"sum(rate(segwire_fan_out_all_zero_ids_total{_RATE}))", "all-zero IDs"),
            ),
            unit="cps",
        ),
        Panel(
            title="Seconds behind",
            means="Age of the last processed record while some wait.",
            queries=(Query(f"max {_BY} (segwire_processor_lag_seconds)", "{{processor}}"),),
            unit="s",
        ),
        Panel(
            title="Records behind",
            means="Those that wait, over all partitions.",
            queries=(Query(f"sum {_BY} (segwire_processor_lag_records)", "{{processor}}"),),
        ),
        Panel(
            title="Set aside",
            means="Dead letters, by stage and error.",
            queries=(
                Query(
                    f"sum by (stage, error) (rate(segwire_dead_letters_total{_RATE})) or vector(0)",
                    "{{stage}} {{error}}",
                ),
            ),
            unit="cps",
        ),
    ),
)
_TRANSACTIONS = Row(
    "Transactions",
    (
        Panel(
            title="Time to commit",
            means="Where it grows, look at the brokers.",
            queries=quantiles("segwire_processor_commit_seconds", by="processor"),
            unit="s",
        ),
        Panel(
            title="Aborted",
            means="Repeated, never lost or doubled; and producers replaced as nobody knew the outcome.",
            queries=(
                Query(f"sum {_BY} (rate(segwire_processor_aborts_total{_RATE})) or vector(0)", "{{processor}}"),
                Query(
                    f"sum {_BY} (rate(segwire_processor_producers_replaced_total{_RATE})) or vector(0)",
                    "{{processor}} producers replaced",
                ),
            ),
            unit="cps",
        ),
        Panel(
            title="Waiting for what they write to",
            means="1 while records wait as their target takes nothing.",
            queries=(
                Query(f"max {_BY} (segwire_processor_backpressure) or vector(0)", "{{processor}}"),
                Query(
                    f"sum {_BY} (increase(segwire_processor_backpressures_total{_RATE})) or vector(0)",
                    "{{processor}} pauses",
                ),
            ),
        ),
        Panel(
            title="Records that fail",
            means="By error. Isolating: small portions are tried, to find the one that fails or ends the process.",
            queries=(
                Query(
                    f"sum by (processor, error) (increase(segwire_processor_failures_total{_RATE})) or vector(0)",
                    "{{processor}} {{error}}",
                ),
                Query(f"max {_BY} (segwire_processor_isolating) or vector(0)", "{{processor}} isolating"),
            ),
        ),
        Panel(
            title="Partitions",
            means="Assigned: all of them, over the processes of a processor. A step down is a process that left.",
            queries=(Query(f"sum {_BY} (segwire_processor_assigned_partitions)", "{{processor}}"),),
        ),
        Panel(
            title="Ended by the watchdog",
            means="Services that made no progress, and which were ended loudly.",
            queries=(
                Query(f"sum {_BY} (increase(segwire_processor_watchdog_total[1h])) or vector(0)", "{{processor}}"),
            ),
        ),
        Panel(
            title="Memory",
            means="Of each process, endpoints too.",
            queries=(
                Query("process_resident_memory_bytes and on (instance) segwire_processor_lag_records", "{{instance}}"),
            ),
            unit="bytes",
        ),
    ),
)
_STATE = Row(
    "State and time",
    (
        Panel(
            title="Restoring",
            means="Partitions that wait for their state.",
            queries=(
                Query(f"sum {_BY} (segwire_processor_restoring_partitions)", "{{processor}} partitions"),
                Query(f"sum {_BY} (segwire_processor_restore_remaining_records)", "{{processor}} records left"),
            ),
        ),
        Panel(
            title="Restored",
            means="Changelog records read.",
            queries=(
                Query(
                    f"sum {_BY} (rate(segwire_processor_restored_records_total{_RATE})) or vector(0)", "{{processor}}"
                ),
            ),
            unit="cps",
        ),
        Panel(
            title="Size of the state",
            means="The local store's files, by process.",
            queries=(
                Query("sum by (processor, instance) (segwire_processor_state_bytes)", "{{processor}} {{instance}}"),
            ),
            unit="bytes",
        ),
        Panel(
            title="Timers due",
            means="Found in the last turn, up to its budget: at the budget for long, expiries are late.",
            queries=(Query(f"sum {_BY} (segwire_processor_timers_due)", "{{processor}}"),),
        ),
        Panel(
            title="May timers go on?",
            means="Free: yes. Waiting: something received earlier is still upstream. Stopped: clocks differ.",
            queries=(
                Query(f"sum by (result) (rate(segwire_processor_horizon_checks_total{_RATE}))", "{{result}}"),
                Query(f"sum(rate(segwire_processor_timers_stopped_total{_RATE})) or vector(0)", "stopped"),
            ),
            unit="cps",
        ),
        Panel(
            title="Our clock less the broker's",
            means="At 5 s nothing expires any more.",
            queries=(Query(f"max {_BY} (segwire_processor_clock_difference_seconds) or vector(0)", "{{processor}}"),),
            unit="s",
        ),
    ),
)

PROCESSORS = Board(
    name="processors",
    title="Processors",
    means="Fan-out, membership and identity: flow, lateness, transactions, state.",
    rows=(_FLOW, _TRANSACTIONS, _STATE),
)
