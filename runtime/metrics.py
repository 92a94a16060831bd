"""Every metric of every service, declared once with help, unit and labels; never a user's ID in a label."""

from prometheus_client import Counter, Gauge, Histogram

from runtime.loop_histogram import LoopHistogram

# A process that is going to end waits for so long, to be seen by Prometheus, which asks each minute or more often.
SCRAPED_S = 60.0

_LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
_VISIBLE_S = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)

# Ingest
INGEST_ANSWERS = Counter(
    "segwire_ingest_answers", "Answers by source, status and problem type.", ["source", "status", "problem"]
)
INGEST_ANSWER_SECONDS = LoopHistogram(
    "segwire_ingest_answer_seconds", "From the whole body received to the answer.", "source", buckets=_LATENCY_S
)
INGEST_BODY_BYTES = Counter("segwire_ingest_body_bytes", "Bytes of acknowledged bodies, as received.", ["source"])
INGEST_IN_FLIGHT = Gauge("segwire_ingest_in_flight", "Messages produced and not yet acknowledged by Kafka.")
INGEST_DISCONNECTS = Counter(
    "segwire_ingest_disconnects", "Senders that went away before their whole body was here.", ["source"]
)
INGEST_CONNECTIONS = Gauge("segwire_ingest_connections", "Open connections.")
INGEST_CONNECTIONS_ENDED = Counter(
    "segwire_ingest_connections_ended",
    "Connections ended by us: idle, head-timeout, body-timeout, answer-not-read, refused, made-room, no-place.",
    ["reason"],
)
INGEST_LOSS_RISK = Counter(
    "segwire_ingest_loss_risk", "Authenticated messages answered 503: the sender may lose them.", ["source"]
)
INGEST_STATE = Gauge(
    "segwire_ingest_state",
    "1 for each state that holds (starting, kafka-ok, kafka-slow, kafka-down, spool-high, spool-full, spool-failed, "
    "draining), else 0.",
    ["state"],
)
INGEST_STATE_CHANGES = Counter("segwire_ingest_state_changes", "Times that a state of Kafka was entered.", ["state"])
INGEST_PRODUCERS_REPLACED = Counter(
    "segwire_ingest_producers_replaced", "Kafka clients replaced as they failed for good."
)
INGEST_SPOOLED = Counter(
    "segwire_ingest_spooled", "Messages given to the spool, by source and the state of Kafka then.", ["source", "state"]
)
INGEST_LATE_ACKS = Counter(
    "segwire_ingest_late_acks", "Spooled messages that Kafka acknowledged without a replay.", ["source"]
)
INGEST_REPLAYED = Counter("segwire_ingest_replayed", "Spooled messages that a replay brought to Kafka.", ["source"])
INGEST_REPLAY_REFUSED = Counter(
    "segwire_ingest_replay_refused", "Replays that Kafka did not take, by reason (not-taken or too-large).", ["reason"]
)
INGEST_TOKENS = Counter(
    "segwire_ingest_tokens", "Answers of the token endpoint, by result (issued, or the error's code).", ["result"]
)
INGEST_VALID_KEYS = Gauge(
    "segwire_ingest_valid_keys", "Signing keys valid now, by source; at 0 every message is refused.", ["source"]
)
SPOOL_BYTES = Gauge("segwire_ingest_spool_bytes", "Bytes of the spool's segments, by spool directory.", ["spool"])
SPOOL_RECORDS = Gauge(
    "segwire_ingest_spool_records", "Spooled records not yet in Kafka, by spool directory.", ["spool"]
)
SPOOL_OLDEST_AGE_SECONDS = Gauge(
    "segwire_ingest_spool_oldest_age_seconds", "Age of the oldest record not yet in Kafka, else 0.", ["spool"]
)
SPOOL_SOURCE_RECORDS = Gauge(
    "segwire_ingest_spool_source_records",
    "Spooled records not yet in Kafka, by spool directory and source.",
    ["spool", "source"],
)
SPOOL_SOURCE_OLDEST_AGE_SECONDS = Gauge(
    "segwire_ingest_spool_source_oldest_age_seconds",
    "Age of a source's oldest record not yet in Kafka, else 0.",
    ["spool", "source"],
)
SPOOL_APPENDS = Counter("segwire_ingest_spool_appends", "Appends, by result (synced, full or failed).", ["result"])
SPOOL_FSYNC_SECONDS = Histogram(
    "segwire_ingest_spool_fsync_seconds", "Writing and syncing one group of appends.", buckets=_LATENCY_S
)
SPOOL_REPLAYED = Counter("segwire_ingest_spool_replayed", "Spooled records handed out to be sent to Kafka.")
SPOOL_CORRUPT = Counter("segwire_ingest_spool_corrupt", "Damaged places of the spool that were passed over.")
SPOOL_TORN = Counter("segwire_ingest_spool_torn", "Unfinished writes that were cut off the end of a segment.")

# Secrets, of any service
SECRET_RELOADS = Counter(
    "segwire_secret_reloads",
    "Files of secrets that changed, by result (replaced, or failed: the old one is kept).",
    ["result"],
)

# Traces, of any service
TRACE_SPANS = Counter(
    "segwire_trace_spans",
    "Spans handed to the collector, by result (taken, or lost as it did not take them).",
    ["result"],
)

# Processors
RECORDS_IN = Counter("segwire_processor_records", "Input records committed.", ["processor"])
RECORDS_OUT = Counter(
    "segwire_processor_outputs", "Output records committed, by topic (without prefix).", ["processor", "topic"]
)
DEAD_LETTERS = Counter("segwire_dead_letters", "What was set aside, by stage and error class.", ["stage", "error"])
COMMIT_SECONDS = Histogram(
    "segwire_processor_commit_seconds", "Duration of a transaction's commit.", ["processor"], buckets=_LATENCY_S
)
ABORTS = Counter("segwire_processor_aborts", "Transactions aborted.", ["processor"])
BACKPRESSURE = Gauge(
    "segwire_processor_backpressure", "1 while records wait as what they go to takes nothing, else 0.", ["processor"]
)
BACKPRESSURES = Counter("segwire_processor_backpressures", "Pauses for backpressure.", ["processor"])
RECORDS_FAILED = Counter(
    "segwire_processor_failures",
    "Transactions that failed by what was in them, and are tried again in parts, by error class.",
    ["processor", "error"],
)
ISOLATING = Gauge(
    "segwire_processor_isolating",
    "1 while records are processed in small portions, as one of them failed or ended the process, else 0.",
    ["processor"],
)
LAG_RECORDS = Gauge(
    "segwire_processor_lag_records", "Input records behind the end, over the assigned partitions.", ["processor"]
)
LAG_SECONDS = Gauge(
    "segwire_processor_lag_seconds", "Age of the last processed record while lagging, else 0.", ["processor"]
)
ASSIGNED = Gauge("segwire_processor_assigned_partitions", "Partitions assigned to this process.", ["processor"])
RESTORING = Gauge("segwire_processor_restoring_partitions", "Partitions whose state is being restored.", ["processor"])
RESTORED_RECORDS = Counter("segwire_processor_restored_records", "Changelog records read in restores.", ["processor"])
RESTORE_REMAINING = Gauge(
    "segwire_processor_restore_remaining_records", "Changelog records still to read.", ["processor"]
)
RESTORE_ETA_SECONDS = Gauge(
    "segwire_processor_restore_eta_seconds",
    "How long the restore takes yet, as quick as it was so far; else 0.",
    ["processor"],
)
PRODUCERS_REPLACED = Counter(
    "segwire_processor_producers_replaced", "Producers replaced after an indefinite error.", ["processor"]
)

TIMERS_DUE = Gauge(
    "segwire_processor_timers_due", "Timers found due in the last turn, up to its budget.", ["processor"]
)
CLOCK_DIFFERENCE = Gauge(
    "segwire_processor_clock_difference_seconds", "Our clock less the broker's, at the last firing.", ["processor"]
)
TIMERS_STOPPED = Counter(
    "segwire_processor_timers_stopped", "Firings put off, as our clock and the broker's differ.", ["processor"]
)
HORIZON_CHECKS = Counter(
    "segwire_processor_horizon_checks",
    "Looks whether timers may go on (free), or records upstream still wait (waiting).",
    ["result"],
)
STATE_BYTES = Gauge("segwire_processor_state_bytes", "Size of the local store's files.", ["processor"])
WATCHDOG = Counter(
    "segwire_processor_watchdog", "Times that work stood still; the process ends where that lasts.", ["processor"]
)
INVARIANT_BROKEN = Gauge(
    "segwire_processor_invariant_broken",
    "1 where an invariant does not hold, a minute before the process ends.",
    ["processor", "invariant"],
)

# Fan-out
FAN_OUT_USERS = Counter("segwire_fan_out_users", "Users of messages, by result (event or set aside).", ["result"])
FAN_OUT_COUNT_MISMATCHES = Counter(
    "segwire_fan_out_user_count_mismatches", "Messages whose User_count is not their number of users."
)
FAN_OUT_ALL_ZERO_IDS = Counter("segwire_fan_out_all_zero_ids", "All-zero device IDs, never stored.")

# Membership
MEMBERSHIP_CHANGES = Counter(
    "segwire_membership_changes", "Memberships entered and left, by cause.", ["change", "cause"]
)
MEMBERSHIP_USERS = Gauge("segwire_membership_users", "Users with state in this process.")
MEMBERSHIP_ACTIVE = Gauge("segwire_membership_active", "Active memberships in this process.")
MEMBERSHIP_VISIBLE_SECONDS = LoopHistogram(
    "segwire_membership_visible_seconds",
    "From a message received to what follows of it committed, each user of it; by the clocks of both machines.",
    None,
    buckets=_VISIBLE_S,
)
MEMBERSHIP_SEGMENT_ACTIVE = Gauge(
    "segwire_membership_segment_active",
    "Active memberships in this process, of each segment of membership.metrics_segments.",
    ["segment"],
)
MEMBERSHIP_SEGMENT_CHANGES = Counter(
    "segwire_membership_segment_changes",
    "Memberships entered and left, by cause, of each segment of membership.metrics_segments.",
    ["segment", "change", "cause"],
)

# Sinks, whatever their type
SINK_RECORDS = Counter(
    "segwire_sink_records", "Records done for good, by result (written or refused).", ["sink", "result"]
)
SINK_FAILURES = Counter("segwire_sink_failures", "Batches that could not be written and were put off.", ["sink"])
SINK_BREAKER_OPEN = Gauge("segwire_sink_breaker_open", "1 while what is written to is given up on, else 0.", ["sink"])
SINK_WRITE_SECONDS = Histogram("segwire_sink_write_seconds", "Writing one batch.", ["sink"], buckets=_LATENCY_S)

# Outbound destinations
OUTBOUND_MESSAGES = Counter(
    "segwire_outbound_messages",
    "Messages by result (delivered, parked, or put-off: they come again).",
    ["sink", "result"],
)
OUTBOUND_USERS = Counter(
    "segwire_outbound_users",
    "Users sent, by reason (new-segment, disqualified, mapping-changed, partners-changed, three-days).",
    ["sink", "reason"],
)
OUTBOUND_ATTEMPT_SECONDS = Histogram(
    "segwire_outbound_attempt_seconds", "From an attempt to its answer.", ["sink"], buckets=_LATENCY_S
)
