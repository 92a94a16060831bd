"""Ingest: answers, connections, Kafka, the spool."""

from deploy.grafana.board import Board, Row, graph, level, quantiles, rate, risen
from deploy.grafana.shared import REFUSED

_ANSWERS = Row(
    "Answers",
    (
        graph(
            "Accepted",
            "Messages answered 200, by source.",
            rate('segwire_ingest_answers_total{status="200"}', "source"),
            unit="reqps",
        ),
        REFUSED,
        graph(
            "Time to the answer",
            "Of accepted messages, from the whole body received. The sender waits 3 s.",
            *quantiles("segwire_ingest_answer_seconds"),
            unit="s",
        ),
        graph(
            "Bytes accepted",
            "As received, so compressed where the sender compresses.",
            rate("segwire_ingest_body_bytes_total", "source"),
            unit="Bps",
        ),
        graph(
            "Tokens",
            "Answers of the token endpoint.",
            rate("segwire_ingest_tokens_total", "result", seldom=True),
            unit="reqps",
        ),
        graph(
            "Valid signing keys",
            "At 0 every message of the source is refused. Nothing is here where no source signs.",
            level("segwire_ingest_valid_keys", "source", how="min", seldom=True),
        ),
    ),
)
_CONNECTIONS = Row(
    "Connections",
    (
        graph(
            "Open",
            "And messages given to Kafka that it has not acknowledged.",
            level("segwire_ingest_connections", legend="connections"),
            level("segwire_ingest_in_flight", legend="in flight"),
        ),
        graph(
            "Ended by us",
            "By reason; idle ones are normal.",
            rate("segwire_ingest_connections_ended_total", "reason", seldom=True),
            unit="cps",
        ),
        graph(
            "Senders that went away",
            "Before their whole body was here: their patience or the network is short.",
            rate("segwire_ingest_disconnects_total", "source", seldom=True),
            unit="cps",
        ),
    ),
)
_STORES = Row(
    "Kafka and the spool",
    (
        graph("State", "How many endpoints are in which state.", level("segwire_ingest_state", "state")),
        graph(
            "Changes of state",
            "Of what is thought of Kafka; and clients that failed for good.",
            risen("segwire_ingest_state_changes_total", "state"),
            risen("segwire_ingest_producers_replaced_total", legend="client replaced"),
        ),
        graph(
            "To the spool and back",
            "Messages that Kafka did not take in time, and their way to it afterwards.",
            rate("segwire_ingest_spooled_total", legend="spooled", seldom=True),
            rate("segwire_ingest_spool_replayed_total", legend="handed out"),
            rate("segwire_ingest_replayed_total", legend="replayed", seldom=True),
            rate("segwire_ingest_late_acks_total", legend="acknowledged late", seldom=True),
            rate("segwire_ingest_replay_refused_total", legend="replay refused", seldom=True),
            unit="cps",
        ),
        graph(
            "In the spool",
            "Acknowledged messages that Kafka does not have yet, by endpoint.",
            level("segwire_ingest_spool_records", "instance"),
        ),
        graph(
            "Bytes of the spool",
            "Against ingest.spool.max_bytes, of each worker.",
            level("segwire_ingest_spool_bytes", "instance"),
            unit="bytes",
        ),
        graph(
            "Age of the oldest in the spool",
            "How late what is behind it will be.",
            level("segwire_ingest_spool_oldest_age_seconds", "instance", how="max"),
            unit="s",
        ),
        graph(
            "In the spool, by source",
            "Whose messages Kafka does not have yet.",
            level("segwire_ingest_spool_source_records", "source"),
        ),
        graph(
            "Age of the oldest in the spool, by source",
            "How late the messages of a source are, should it go on now.",
            level("segwire_ingest_spool_source_oldest_age_seconds", "source", how="max"),
            unit="s",
        ),
        graph(
            "Time to sync",
            "One group of appends; while Kafka is slow, answers wait for it.",
            *quantiles("segwire_ingest_spool_fsync_seconds"),
            unit="s",
        ),
        graph(
            "Appends",
            "By result: anything but synced is a disk that is full or broken.",
            rate("segwire_ingest_spool_appends_total", "result", seldom=True),
            unit="cps",
        ),
        graph(
            "Torn and damaged",
            "Torn: a write that a crash cut off, never acknowledged. Damaged: bytes that changed after the sync.",
            risen("segwire_ingest_spool_torn_total", legend="torn"),
            risen("segwire_ingest_spool_corrupt_total", legend="damaged"),
        ),
    ),
)

INGEST = Board(
    name="ingest",
    title="Ingest",
    means="The HTTP endpoint: what it answers, and where it keeps what it acknowledged.",
    rows=(_ANSWERS, _CONNECTIONS, _STORES),
)
