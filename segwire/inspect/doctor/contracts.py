"""Checks that the schemas load, and that what lies in the public topics can be read with them."""

from collections import Counter
from collections.abc import Callable, Mapping

import fastavro
import msgspec
from confluent_kafka import Message

from runtime.errors import SegwireError
from runtime.settings import KafkaSettings
from schemas.avro_codec import decode_change, decode_key, decode_membership, decode_receipt, schema_id_of
from schemas.avro_schema import RECORD_NAMES, load_schema
from schemas.event import decode_event
from schemas.headers import header_text
from schemas.topics import (
    DEAD_LETTERS,
    DELIVERY_RECEIPTS,
    SEGMENT_EVENTS,
    SEGMENT_MEMBERSHIP,
    SEGMENT_MEMBERSHIP_CHANGES,
    TOPICS,
    Topic,
)
from segwire.inspect.decoding import raw_headers
from segwire.inspect.doctor.finding import Finding
from segwire.inspect.doctor.registry import IdRule, fixed_ids
from segwire.inspect.log_reader import LogReader, Slice

# Transactions leave markers at the ends of partitions: the last record is a little before.
_TAIL_OFFSETS = 100


def check_schemas() -> list[Finding]:
    """Check that every Avro schema loads and that their fixed IDs differ."""
    for record in RECORD_NAMES:
        fastavro.parse_schema(load_schema(record))
    declared = {schema for topic in TOPICS for schema in (topic.key_schema, topic.value_schema) if schema is not None}
    ids = ", ".join(f"{s.record} {s.schema_id}" for s in sorted(declared, key=lambda s: s.schema_id))
    twice = [number for number, times in Counter(s.schema_id for s in declared).items() if times > 1]
    if twice or {s.record for s in declared} != set(RECORD_NAMES):
        return [Finding("schemas", False, f"IDs are not one for each schema: {ids}", "install Segwire again")]
    return [Finding("schemas", ok=True, value=f"all load; fixed IDs: {ids}")]


def check_records(kafka: KafkaSettings, id_rule: IdRule = fixed_ids) -> list[Finding]:
    """Read the last record of each partition of each public topic; `id_rule` judges the schema IDs."""
    reader = LogReader(kafka)
    return [_check_tail(reader, kafka, topic, id_rule) for topic in TOPICS if not topic.private]


def judge_record(topic: Topic, message: Message, id_rule: IdRule = fixed_ids) -> str | None:
    """Return why a record cannot be read as its topic's contract says, None where it can."""
    check = _CHECKS.get(topic.name)
    value = message.value()
    try:
        reason = check(message) if check is not None else None
        if reason is None and topic.value_schema is not None and value is not None:
            return id_rule(topic, schema_id_of(value))
    except (ValueError, msgspec.MsgspecError) as error:
        return str(error)
    return reason


def _check_tail(reader: LogReader, kafka: KafkaSettings, topic: Topic, id_rule: IdRule) -> Finding:
    name = kafka.topic_prefix + topic.name
    try:
        whole = reader.slices(name, range(reader.partitions(name)))
    except SegwireError as error:
        return Finding(f"records of {name}", None, f"not checked: {error}")
    tails = [Slice(name, s.partition, max(s.start, s.end - _TAIL_OFFSETS), s.end) for s in whole]
    last = {message.partition(): message for message in reader.read(tails)}
    for message in last.values():
        reason = judge_record(topic, message, id_rule)
        if reason is not None:
            where = f"{name}[{message.partition()}]@{message.offset()}"
            remedy = (
                "find what else writes to the topic; where schema_registry or the version changed, run one version "
                "of Segwire everywhere, with one schema_registry.url (docs/adr/0016-registered-schemas.md)"
            )
            return Finding(f"records of {name}", False, f"{where}: {reason}", remedy)
    value = f"the last of {len(last)} partitions can be read" if last else "none yet"
    return Finding(f"records of {name}", ok=True, value=value)


def _check_event(message: Message) -> None:
    decode_event(message.value() or b"")


def _check_row(message: Message) -> None:
    decode_key(message.key() or b"")
    value = message.value()
    if value is not None:
        decode_membership(value)


def _check_change(message: Message) -> None:
    decode_change(message.value() or b"")


def _check_receipt(message: Message) -> None:
    decode_receipt(message.value() or b"")


def _check_letter(message: Message) -> str | None:
    missing = [n for n in ("stage", "error", "reason") if header_text(raw_headers(message), n) is None]
    return f"headers are missing: {', '.join(missing)}" if missing else None


_CHECKS: Mapping[str, Callable[[Message], str | None]] = {
    SEGMENT_EVENTS.name: _check_event,
    SEGMENT_MEMBERSHIP.name: _check_row,
    SEGMENT_MEMBERSHIP_CHANGES.name: _check_change,
    DEAD_LETTERS.name: _check_letter,
    DELIVERY_RECEIPTS.name: _check_receipt,
}
