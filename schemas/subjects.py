"""Under which subject of a schema registry each schema is found. Pure.

Values are found as every client looks for them, by the topic's name (Confluent's TopicNameStrategy). The key of
`segment-membership` has no frame, so it is found by its own name (RecordNameStrategy): a subject `<topic>-key` would
tell clients to expect a frame.
"""

from collections.abc import Iterable, Sequence
from typing import cast

import msgspec

from schemas.avro_schema import RecordName, load_schema
from schemas.topics import AvroSchema, Topic

COMPATIBILITY = "FULL_TRANSITIVE"
"""Of every subject: each version can read what any other wrote."""


class Subject(msgspec.Struct, frozen=True):
    """One schema and where a registry has it."""

    name: str
    record: RecordName


def value_subject(prefix: str, topic: Topic) -> Subject:
    """Return the subject of the values of a topic, whose name begins with `prefix` on the cluster.

    Raises:
        ValueError: the topic's values are not Avro.
    """
    if topic.value_schema is None:
        raise ValueError(f"the values of the topic {topic.name} are not Avro")
    return Subject(f"{prefix}{topic.name}-value", _record(topic.value_schema))


def subjects(prefix: str, topics: Iterable[Topic]) -> Sequence[Subject]:
    """Return every subject of these topics."""
    found = []
    for topic in topics:
        if topic.key_schema is not None:
            record = _record(topic.key_schema)
            found.append(Subject(full_name(record), record))
        if topic.value_schema is not None:
            found.append(value_subject(prefix, topic))
    return found


def full_name(record: RecordName) -> str:
    """Return a record's name with its namespace."""
    schema = load_schema(record)
    return f"{schema['namespace']}.{schema['name']}"


def _record(schema: AvroSchema) -> RecordName:
    return cast("RecordName", schema.record)
