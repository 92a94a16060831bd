"""The topics as an AsyncAPI 3 document, rendered from the manifest and the schema files.

`segwire topics render --format asyncapi > docs/asyncapi.yaml`; a test fails when that file is stale.
Source: AsyncAPI 3.0.0; Kafka bindings 0.5.0.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, cast

import yaml

from runtime.settings import KafkaSettings
from schemas.avro_schema import RecordName, load_schema
from schemas.json_schema import segment_event_schema
from schemas.topics import SEGMENT_EVENTS, TOPICS, AvroSchema, Topic
from segwire.contracts.record_headers import HEADERS

Document = dict[str, Any]

_BINDINGS = "0.5.0"
_AVRO = "application/vnd.apache.avro;version=1.9.0"
_DESCRIPTION = (
    "Who is in which segment, why, and since when; delivered exactly once by Kafka transactions: read with "
    "`isolation.level=read_committed`. `docs/TOPICS.md` tells the guarantees and shows how to read from several "
    "languages.\n\nAvro values have the Confluent frame (a zero byte, a 4-byte schema ID, the Avro binary). Topics "
    "keyed by the AAM UUID are partitioned by murmur2 of it, as Java's default partitioner does, and have one "
    "partition count."
)
_KEY_OF_USER = {"type": "string", "description": "The AAM UUID, UTF-8."}
_ANY = "application/octet-stream"


class _Plain(yaml.SafeDumper):
    """Writes what is there twice twice: tools stumble over YAML's aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as the base class asks
        """Never use one."""
        return True


def render_asyncapi(kafka: KafkaSettings, topics: Sequence[Topic] = TOPICS) -> str:
    """Render the document as YAML, for the prefix, partition count and replication factor of `kafka`."""
    return yaml.dump(asyncapi(kafka, topics), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=118)


def asyncapi(kafka: KafkaSettings, topics: Sequence[Topic] = TOPICS) -> Document:
    """Return the document. Private topics are in it, so that nothing is unexplained, and are marked as such."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Segwire topics",
            "version": version("segwire"),
            "description": _DESCRIPTION,
            "license": {"name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {topic.name: _channel(topic, kafka) for topic in topics},
        "operations": {f"write-{topic.name}": _operation(topic) for topic in topics},
        "components": {
            "messages": {topic.name: _message(topic) for topic in topics},
            "schemas": _json_schemas(),
        },
    }


def _server() -> Document:
    return {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "description": "The Kafka cluster.",
        "variables": {"bootstrap": {"default": "127.0.0.1:19092", "description": "HOST:PORT of a broker."}},
    }


def _channel(topic: Topic, kafka: KafkaSettings) -> Document:
    settings = topic.configuration()
    known = {"cleanup.policy": [settings["cleanup.policy"]], "max.message.bytes": int(settings["max.message.bytes"])}
    known |= {name: int(settings[name]) for name in ("retention.ms", "delete.retention.ms") if name in settings}
    return {
        "address": kafka.topic_prefix + topic.name,
        "title": topic.name,
        "summary": topic.purpose,
        "description": f"Read by: {topic.readers}.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {"record": {"$ref": f"#/components/messages/{topic.name}"}},
        "tags": [{"name": "private" if topic.private else "public"}],
        "bindings": {
            "kafka": {
                "topic": kafka.topic_prefix + topic.name,
                "partitions": kafka.partitions,
                "replicas": kafka.replication_factor,
                "topicConfiguration": known,
                "bindingVersion": _BINDINGS,
            }
        },
    }


def _operation(topic: Topic) -> Document:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.purpose,
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/record"}],
    }


def _message(topic: Topic) -> Document:
    private = " Its format may change with every release." if topic.private else ""
    found: Document = {
        "name": topic.value_schema.record if topic.value_schema else topic.name,
        "title": topic.name,
        "summary": f"Key: {topic.key}. Value: {topic.value}.{private}",
        "contentType": _content_type(topic),
        "payload": _payload(topic),
        "bindings": {"kafka": _message_binding(topic)},
    }
    names = HEADERS.get(topic.name, ())
    if names:
        found["headers"] = {
            "type": "object",
            "properties": {name: {"type": "string", "description": text} for name, text in names},
        }
    return found


def _content_type(topic: Topic) -> str:
    if topic.value_schema is not None:
        return "application/vnd.apache.avro"
    return "application/json" if topic.value.startswith("JSON") else _ANY


def _payload(topic: Topic) -> Document:
    if topic.value_schema is not None:
        return _avro(topic.value_schema)
    if topic.name == SEGMENT_EVENTS.name:
        return {"$ref": "#/components/schemas/SegmentEvent"}
    return {"description": topic.value}


def _avro(schema: AvroSchema) -> Document:
    return {
        "schemaFormat": _AVRO,
        "schema": _loaded(schema),
        "x-schema-id-without-registry": schema.schema_id,
    }


def _loaded(schema: AvroSchema) -> Document:
    return load_schema(cast(RecordName, schema.record))


def _message_binding(topic: Topic) -> Document:
    binding: Document = {"key": _key(topic)} if topic.partitioning != "none" else {}
    if topic.value_schema is not None:
        binding |= {
            "schemaIdLocation": "payload",
            "schemaIdPayloadEncoding": "confluent",
            "schemaLookupStrategy": "TopicIdStrategy",
        }
    return {**binding, "bindingVersion": _BINDINGS}


def _key(topic: Topic) -> Document:
    if topic.key_schema is not None:
        # The binding takes no Avro here, so the schema is an extension of its own.
        schema = _loaded(topic.key_schema)
        return {"type": "string", "format": "binary", "description": topic.key, "x-avro-schema": schema}
    return _KEY_OF_USER if topic.partitioning == "aam_uuid" else {"description": topic.key}


def _json_schemas() -> Document:
    """Return the event's schema with its definitions beside it, as references of the document want them."""
    schema = segment_event_schema()
    return {name: _pointing_here(definition) for name, definition in schema["$defs"].items()}


def _pointing_here(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _reference(value) if key == "$ref" else _pointing_here(value) for key, value in node.items()}
    return [_pointing_here(each) for each in node] if isinstance(node, list) else node


def _reference(pointer: str) -> str:
    return pointer.replace("#/$defs/", "#/components/schemas/")
