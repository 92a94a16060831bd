"""Ingest: answers, connections, Kafka, the spool."""

from deploy.grafana.board import Board, Panel, Query, Row, quantiles

_ANSWERS = Row(
    "Answers",
    (
        Panel(
            title="Accepted",
            means="Messages answered 200, by source.",
            queries=(
                Query(
                    'sum by (source) (rate(segwire_ingest_answers_total{status="200"}[$__rate_interval]))', "{{source}}"
                ),
            ),
            unit="reqps",
        ),
        Panel(
            title="Not accepted",
            means="By status and problem. 503 is the one that may lose data.",
            queries=(
                Query(
                    'sum by (status, problem) (rate(segwire_ingest_answers_total{status!="200"}[$__rate_interval])) '
                    "or vector(0)",
                    "{{status}} {{problem}}",
                ),
            ),
            unit="reqps",
        ),
        Panel(
            title="Time to the answer",
            means="Of accepted messages, from the whole body received. The sender waits 3 s.",
            queries=quantiles("segwire_ingest_answer_seconds"),
            unit="s",
        ),
        Panel(
            title="Bytes accepted",
            means="As received, so compressed where the sender compresses.",
            queries=(Query("sum by (source) (rate(segwire_ingest_body_bytes_total[$__rate_interval]))", "{{source}}"),),
            unit="Bps",
        ),
        Panel(
            title="Tokens",
            means="Answers of the token endpoint.",
            queries=(
                Query(
                    "sum by (result) (rate(segwire_ingest_tokens_total[$__rate_interval])) or vector(0)", "{{result}}"
                ),
            ),
            unit="reqps",
        ),
        Panel(
            title="Valid signing keys",
            means="At 0 every message of the source is refused. Nothing is here where no source signs.",
            queries=(Query("min by (source) (segwire_ingest_valid_keys) or vector(0)", "{{source}}"),),
        ),
    ),
)
_CONNECTIONS = Row(
    "Connections",
    (
        Panel(
            title="Open",
            means="And messages given to Kafka that it has not acknowledged.",
            queries=(
                Query("sum(segwire_ingest_connections)", "connections"),
                Query("sum(segwire_ingest_in_flight)", "in flight"),
            ),
        ),
        Panel(
            title="Ended by us",
            means="By reason; idle ones are normal.",
            queries=(
                Query(
                    "sum by (reason) (rate(segwire_ingest_connections_ended_total[$__rate_interval])) or vector(0)",
                    "{{reason}}",
                ),
            ),
            unit="cps",
        ),
        Panel(
            title="Senders that went away",
            means="Before their whole body was here: their patience or the network is short.",
            queries=(
                Query(
                    "sum by (source) (rate(segwire_ingest_disconnects_total[$__rate_interval])) or vector(0)",
                    "{{source}}",
                ),
            ),
            unit="cps",
        ),
    ),
)
_STORES = Row(
    "Kafka and the spool",
    (
        Panel(
            title="State",
            means="How many endpoints are in which state.",
            queries=(Query("sum by (state) (segwire_ingest_state)", "{{state}}"),),
        ),
        Panel(
            title="Changes of state",
            means="Of what is thought of Kafka; and clients that failed for good.",
            queries=(
                Query("sum by (state) (increase(segwire_ingest_state_changes_total[$__rate_interval]))", "{{state}}"),
                Query("sum(increase(segwire_ingest_producers_replaced_total[$__rate_interval]))", "client replaced"),
            ),
        ),
        Panel(
            title="To the spool and back",
            means="Messages that Kafka did not take in time, and their way to it afterwards.",
            queries=(
                Query("sum(rate(segwire_ingest_spooled_total[$__rate_interval])) or vector(0)", "spooled"),
                Query("sum(rate(segwire_ingest_spool_replayed_total[$__rate_interval]))", "handed out"),
                Query("sum(rate(segwire_ingest_replayed_total[$__rate_interval])) or vector(0)", "replayed"),
                Query("sum(rate(segwire_ingest_late_acks_total[$__rate_interval])) or vector(0)", "acknowledged late"),
                Query(
                    "sum(rate(segwire_ingest_replay_refused_total[$__rate_interval])) or vector(0)", "replay refused"
                ),
            ),
            unit="cps",
        ),
        Panel(
            title="In the spool",
            means="Acknowledged messages that Kafka does not have yet, by endpoint.",
            queries=(Query("sum by (instance) (segwire_ingest_spool_records)", "{{instance}}"),),
        ),
        Panel(
            title="Bytes of the spool",
            means="Against ingest.spool.max_bytes, of each worker.",
            queries=(Query("sum by (instance) (segwire_ingest_spool_bytes)", "{{instance}}"),),
            unit="bytes",
        ),
        Panel(
            title="Age of the oldest in the spool",
            means="How late what is behind it will be.",
            queries=(Query("max by (instance) (segwire_ingest_spool_oldest_age_seconds)", "{{instance}}"),),
            unit="s",
        ),
        Panel(
            title="Time to sync",
            means="One group of appends; while Kafka is slow, answers wait for it.",
            queries=quantiles("segwire_ingest_spool_fsync_seconds"),
            unit="s",
        ),
        Panel(
            title="Appends",
            means="By result: anything but synced is a disk that is full or broken.",
            queries=(
                Query(
                    "sum by (result) (rate(segwire_ingest_spool_appends_total[$__rate_interval])) or vector(0)",
                    "{{result}}",
                ),
            ),
            unit="cps",
        ),
        Panel(
            title="Torn and damaged",
            means="Torn: a write that a crash cut off, never acknowledged. Damaged: bytes that changed after the sync.",
            queries=(
                Query("sum(increase(segwire_ingest_spool_torn_total[$__rate_interval]))", "torn"),
                Query("sum(increase(segwire_ingest_spool_corrupt_total[$__rate_interval]))", "damaged"),
            ),
        ),
    ),
)

INGEST = Board(
    name="ingest",
    title="Ingest",
    means="The HTTP endpoint: what it answers, and where it keeps what it acknowledged.",
    rows=(_ANSWERS, _CONNECTIONS, _STORES),
)
