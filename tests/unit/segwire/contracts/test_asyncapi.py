"""The AsyncAPI document: not stale, valid, and it tells of every topic."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from runtime.settings import KafkaSettings
from schemas.topics import SEGMENT_MEMBERSHIP, TOPICS
from segwire.contracts.asyncapi import asyncapi, render_asyncapi

ROOT = Path(__file__).parents[4]
COMMITTED = ROOT / "docs" / "asyncapi.yaml"


@pytest.fixture(scope="module")
def validator() -> jsonschema_rs.Validator:
    """What the AsyncAPI Initiative publishes as the schema of such documents."""
    packed = (ROOT / "tests" / "data" / "asyncapi-3.0.0.schema.json.gz").read_bytes()
    return jsonschema_rs.validator_for(json.loads(gzip.decompress(packed)))


def test_committed_document_is_not_stale() -> None:
    remedy = "segwire topics render --format asyncapi > docs/asyncapi.yaml"
    assert COMMITTED.read_text(encoding="utf-8") == render_asyncapi(KafkaSettings()), remedy


def test_document_is_valid(validator: jsonschema_rs.Validator) -> None:
    document = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))
    assert [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["channels", "aam-posts", "adress"], "aam-posts"),
        (["operations", "write-aam-posts", "action"], "publish"),
        (["components", "messages", SEGMENT_MEMBERSHIP.name, "payload", "schema", "type"], "rekord"),
        (["channels", "aam-posts", "bindings", "kafka", "partitions"], 0),
    ],
)
def test_validation_sees_what_is_wrong(validator: jsonschema_rs.Validator, path: list[str], value: Any) -> None:
    document = copy.deepcopy(asyncapi(KafkaSettings()))
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not validator.is_valid(document)


def test_every_topic_is_a_channel_under_its_name_on_the_cluster() -> None:
    document = asyncapi(KafkaSettings(topic_prefix="eu-", partitions=24))
    assert {name: channel["address"] for name, channel in document["channels"].items()} == {
        topic.name: f"eu-{topic.name}" for topic in TOPICS
    }
    assert {channel["bindings"]["kafka"]["partitions"] for channel in document["channels"].values()} == {24}


def test_private_topics_are_marked() -> None:
    channels = asyncapi(KafkaSettings())["channels"]
    marked = {name for name, channel in channels.items() if {"name": "private"} in channel["tags"]}
    assert marked == {topic.name for topic in TOPICS if topic.private}


def test_avro_payloads_are_the_schema_files() -> None:
    messages = asyncapi(KafkaSettings())["components"]["messages"]
    avro = [topic for topic in TOPICS if topic.value_schema is not None]
    assert len(avro) >= 2
    for topic in avro:
        assert topic.value_schema is not None
        payload = messages[topic.name]["payload"]
        file = ROOT / "schemas" / "avro" / f"{topic.value_schema.record}.avsc"
        assert payload["schema"] == json.loads(file.read_text(encoding="utf-8"))
        assert payload["x-schema-id-without-registry"] == topic.value_schema.schema_id


def test_references_lead_somewhere() -> None:
    document = asyncapi(KafkaSettings())
    for pointer in _references(document):
        place: Any = document
        for step in pointer.removeprefix("#/").split("/"):
            place = place[step]


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in _references(value)]
    return [found for each in node for found in _references(each)] if isinstance(node, list) else []
