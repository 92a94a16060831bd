"""Alerts of the processors: what stands still, what is late, what is set aside."""

from deploy.prometheus.alert import Alert, happened

_LAG = "sum by (namespace, processor) (segwire_processor_lag_records)"
_PROGRESS = "sum by (namespace, processor) (rate(segwire_processor_records_total[5m]))"
_ASSIGNED = 'sum by (namespace, processor) (segwire_processor_assigned_partitions{processor=~"fan-out|membership"})'
_SET_ASIDE = "sum by (namespace) (rate(segwire_dead_letters_total[15m]))"
_ALL = 'sum by (namespace) (rate(segwire_processor_records_total{processor="fan-out"}[15m]))'

PROCESSOR_ALERTS = (
    Alert(
        name="SegwireProcessorAbsent",
        expr=f"{_ASSIGNED} == 0 "
        'or absent(segwire_processor_assigned_partitions{processor="fan-out"}) '
        'or absent(segwire_processor_assigned_partitions{processor="membership"})',
        held_for="5m",
        severity="page",
        says="No {{ $labels.processor }} has any partition: nothing new is published.",
        first="Is it running? Its log says why it waits or ends: `torn`, `fenced`, or no Kafka.",
        runbook="processor-absent",
    ),
    Alert(
        name="SegwireInvariantBroken",
        expr="max by (namespace, processor, invariant) (max_over_time(segwire_processor_invariant_broken[15m])) > 0",
        held_for="0m",
        severity="page",
        says="{{ $labels.processor }} found {{ $labels.invariant }} broken and stopped, to publish nothing wrong.",
        first="The log line `invariant_broken` names the partition and what was found; then the runbook.",
        runbook="invariant-broken",
    ),
    Alert(
        name="SegwireProcessorStalled",
        expr=f"({_LAG} > 0) unless ({_PROGRESS} > 0)",
        held_for="5m",
        severity="page",
        says="{{ $labels.processor }} has {{ $value }} records before it and commits none.",
        first="Restoring? See `segwire_processor_restore_remaining_records`. Else its log: aborts, dead-letter limits.",
        runbook="processor-stalled",
    ),
    Alert(
        name="SegwireProcessorLate",
        expr="max by (namespace, processor) (segwire_processor_lag_seconds) > 60",
        held_for="10m",
        severity="ticket",
        says="{{ $labels.processor }} is {{ $value | humanizeDuration }} behind.",
        first="More came in than usual, or commits take longer? The board *Processors* shows both.",
        runbook="processor-late",
    ),
    Alert(
        name="SegwireAborting",
        expr="sum by (namespace, processor) (rate(segwire_processor_aborts_total[10m])) > 0.05",
        held_for="10m",
        severity="ticket",
        says="{{ $labels.processor }} aborts transactions again and again; its work is repeated, not lost.",
        first="The log line `transaction_aborted` names the cause: brokers restarting, timeouts, rebalances.",
        runbook="aborting",
    ),
    Alert(
        name="SegwireRecordFails",
        expr=f"sum by (namespace, processor, error) ({happened('segwire_processor_failures_total', '15m')}) > 0",
        held_for="0m",
        severity="ticket",
        says="A record of {{ $labels.processor }} fails ({{ $labels.error }}); it is found, and set aside alone.",
        first="`segwire dead-letters list --since 1h` shows it; the log line `record_set_aside` says where it was.",
        runbook="record-fails",
    ),
    Alert(
        name="SegwireIsolating",
        expr="max by (namespace, processor) (max_over_time(segwire_processor_isolating[5m])) == 1",
        held_for="10m",
        severity="ticket",
        says="{{ $labels.processor }} has processed a few records at a time for more than ten minutes: one after the "
        "other fails, or its process dies of one.",
        first="Does it restart? The log lines `process_died`, `records_tried_in_parts`, `record_set_aside` say why.",
        runbook="record-fails",
    ),
    Alert(
        name="SegwireRestoreSlow",
        expr="max by (namespace, pod, processor) (segwire_processor_restoring_partitions) > 0",
        held_for="30m",
        severity="ticket",
        says="{{ $labels.processor }} has restored state for half an hour; these partitions wait.",
        first="Does `segwire_processor_restore_remaining_records` fall? Then wait; else look at the disk and at Kafka.",
        runbook="restore-slow",
    ),
    Alert(
        name="SegwireClockOff",
        expr="sum by (namespace, processor) (increase(segwire_processor_timers_stopped_total[10m])) > 0",
        held_for="10m",
        severity="ticket",
        says="Our clock and the broker's differ by more than 5 s, so no membership expires.",
        first="`chronyc tracking` on both machines; `segwire doctor` shows the difference.",
        runbook="clock-off",
    ),
    Alert(
        name="SegwireTimersWaiting",
        expr='sum by (namespace) (increase(segwire_processor_horizon_checks_total{result="waiting"}[1h])) > 0 unless '
        'sum by (namespace) (increase(segwire_processor_horizon_checks_total{result="free"}[1h])) > 0',
        held_for="1h",
        severity="ticket",
        says="Expiries have waited for more than an hour, as messages received before still wait upstream.",
        first="A spool that is not replayed, or a fan-out that is behind: see those first.",
        runbook="timers-waiting",
    ),
    Alert(
        name="SegwireDeadLetters",
        expr=f"{_SET_ASIDE} > 0.01 * {_ALL}",
        held_for="15m",
        severity="ticket",
        says="More than one in a hundred is set aside as a dead letter.",
        first="`segwire dead-letters list --since 1h`: which stage, which error, which source?",
        runbook="dead-letters",
    ),
)
