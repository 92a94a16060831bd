"""What is registered, what is refused, and that nothing is done twice."""

import pytest

from runtime.registry.apply import apply_with_schemas, prepare, register
from runtime.registry.client import IncompatibleSchemaError
from runtime.registry_settings import SchemaRegistrySettings
from schemas.avro_schema import schema_text
from schemas.subjects import COMPATIBILITY, subjects
from schemas.topics import TOPICS
from tests.support.registry import URL, FakeRegistry

WANTED = subjects("", TOPICS)
ROWS = "segment-membership-value"


def apply(registry: FakeRegistry) -> list[str]:
    with registry.connect() as client:
        missing, done = prepare(client, WANTED)
        return [*done, *register(client, missing)]


def test_every_schema_is_registered_and_guarded() -> None:
    registry = FakeRegistry()
    done = apply(registry)
    assert registry.rules == {subject.name: COMPATIBILITY for subject in WANTED}
    assert set(registry.schemas) == {subject.name for subject in WANTED}
    assert f"{ROWS}: registered SegmentMembership with ID 101" in done
    assert len(done) == 2 * len(WANTED)


def test_a_second_time_there_is_nothing_to_do() -> None:
    registry = FakeRegistry()
    apply(registry)
    registry.changes.clear()
    assert apply(registry) == []
    assert registry.changes == []


def test_a_subject_that_others_left_open_is_guarded_before_it_is_compared() -> None:
    registry = FakeRegistry()
    registry.put(ROWS, '"string"')
    registry.rules[ROWS] = "NONE"
    registry.breaks = lambda schema: "SegmentMembership" in schema
    with pytest.raises(IncompatibleSchemaError):
        apply(registry)
    assert registry.schemas[ROWS] == [100]


def test_a_refused_schema_is_named_with_reason_and_remedy_before_anything_is_registered() -> None:
    registry = FakeRegistry()
    registry.put(ROWS, '"string"')
    registry.breaks = lambda schema: schema == schema_text("SegmentMembership")
    with pytest.raises(IncompatibleSchemaError) as refused:
        apply(registry)
    message = str(refused.value)
    for part in ("schema SegmentMembership", URL, ROWS, COMPATIBILITY, "must at /fields/12", "kafka.topic_prefix"):
        assert part in message
    assert refused.value.exit_code == 1
    assert list(registry.schemas) == [ROWS]


def test_without_a_registry_only_topics_are_made() -> None:
    assert apply_with_schemas(SchemaRegistrySettings(), "", TOPICS, lambda: ["made"]) == ["made"]
