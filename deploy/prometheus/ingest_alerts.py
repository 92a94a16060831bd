"""Alerts of the endpoint: what may be lost, what is refused."""

from deploy.prometheus.alert import Alert, happened

INGEST_ALERTS = (
    Alert(
        name="SegwireLossRisk",
        expr=happened("segwire_ingest_loss_risk_total", "5m"),
        held_for="0m",
        severity="page",
        says="Messages of {{ $labels.source }} were answered 503: neither Kafka nor the disk took them, and the sender "
        "tries only once more.",
        first="Is the spool's volume full or broken? Then: is Kafka there? Make room first, ask why later.",
        runbook="loss-risk",
    ),
    Alert(
        name="SegwireSpoolFailed",
        expr='max by (namespace, pod, state) (segwire_ingest_state{state=~"spool-full|spool-failed"}) == 1',
        held_for="0m",
        severity="page",
        says="The spool takes nothing ({{ $labels.state }}): without Kafka the next message is refused.",
        first="`df` of the spool's volume, then the endpoint's log for `spool`; keep the files.",
        runbook="spool-failed",
    ),
    Alert(
        name="SegwireSpoolFilling",
        expr='max by (namespace, pod) (segwire_ingest_state{state="spool-high"}) == 1',
        held_for="1m",
        severity="page",
        says="The spool is more than 80 % full, and nothing in it is ever thrown away.",
        first="Bring Kafka back, or enlarge the volume and `ingest.spool.max_bytes`.",
        runbook="spool-filling",
    ),
    Alert(
        name="SegwireSpoolDamaged",
        expr=happened("segwire_ingest_spool_corrupt_total", "15m"),
        held_for="0m",
        severity="page",
        says="Damaged places of the spool were passed over: acknowledged messages may be in them.",
        first="Copy the spool directory before anything else, then `segwire spool inspect`.",
        runbook="spool-damaged",
    ),
    Alert(
        name="SegwireIngestAbsent",
        expr="absent(segwire_ingest_state)",
        held_for="2m",
        severity="page",
        says="No endpoint tells how it is: messages may have nowhere to go.",
        first="Are its processes running, and does Prometheus reach their management ports?",
        runbook="ingest-absent",
    ),
    Alert(
        name="SegwireKafkaDown",
        expr='max by (namespace, pod) (segwire_ingest_state{state="kafka-down"}) == 1',
        held_for="5m",
        severity="ticket",
        says="The endpoint cannot reach Kafka and lives on its spool; nothing is lost, all is late.",
        first="`segwire doctor` on the endpoint's machine; how long does the spool last?",
        runbook="kafka-down",
    ),
    Alert(
        name="SegwireSpoolOld",
        expr="max by (namespace, pod) (segwire_ingest_spool_oldest_age_seconds) > 900 and on (namespace, pod) "
        'max by (namespace, pod) (segwire_ingest_state{state="kafka-ok"}) == 1',
        held_for="5m",
        severity="ticket",
        says="Kafka is well, but messages have waited on disk for more than 15 minutes.",
        first="Is `segwire_ingest_replayed_total` rising? Then wait; else see the reasons of refused replays.",
        runbook="spool-old",
    ),
    Alert(
        name="SegwireNoValidKey",
        expr="min by (namespace, source) (segwire_ingest_valid_keys) == 0",
        held_for="0m",
        severity="page",
        says="No signing key of source {{ $labels.source }} is valid now: every message of it is refused.",
        first="Look at `not_before` and `not_after` of its keys; the machine's clock, too.",
        runbook="no-valid-key",
    ),
    Alert(
        name="SegwireSourceRefused",
        expr='sum by (namespace, source) (rate(segwire_ingest_answers_total{status=~"4..",source!="unknown"}[10m])) '
        '/ sum by (namespace, source) (rate(segwire_ingest_answers_total{source!="unknown"}[10m])) > 0.05',
        held_for="10m",
        severity="ticket",
        says="More than 5 % of what source {{ $labels.source }} sends is refused.",
        first="By which problem? 401 is a key or a clock, 400 a message: `segwire dead-letters list --stage ingest`.",
        runbook="source-refused",
    ),
    Alert(
        name="SegwireSourceSilent",
        expr='sum by (namespace, source) (rate(segwire_ingest_answers_total{status="200"}[1h])) == 0 and '
        'sum by (namespace, source) (rate(segwire_ingest_answers_total{status="200"}[1h] offset 1d)) > 0',
        held_for="30m",
        severity="ticket",
        says="Source {{ $labels.source }} sends nothing, and yesterday at this time it did.",
        first="Ask the sender; does its way here (DNS, firewall, certificate) still work?",
        runbook="source-silent",
    ),
    Alert(
        name="SegwireSecretNotRead",
        expr=happened('segwire_secret_reloads_total{result="failed"}', "1h"),
        held_for="0m",
        severity="ticket",
        says="A changed file of a secret could not be read; the old secret stays in use.",
        first="The log names the file: is it whole, readable, and not empty?",
        runbook="secret-not-read",
    ),
)
