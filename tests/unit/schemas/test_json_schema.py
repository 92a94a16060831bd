import json
from importlib.resources import files
from typing import Any

import pytest

from schemas.event import Origin, Partner, SegmentEvent, SegmentStatus, encode_event
from schemas.json_schema import segment_event_schema_text

PUBLISHED = files("schemas").joinpath("json", "segment-event.schema.json").read_text(encoding="utf-8")
SCHEMA = json.loads(PUBLISHED)
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "null": type(None)}
FULL = SegmentEvent(
    client_id="74323",
    destination_id="",
    aam_uuid="0578",
    partner=Partner("ab", 12345),
    regions=[9],
    segments=[SegmentStatus("1", "ACTIVE", 1), SegmentStatus("2", "INACTIVE", 2)],
    process_time=None,
    received_at=3,
    source="dev",
    origin=Origin("aam-posts", 0, 0, 0),
)


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Validate by the few keywords that the schema uses, and by no other."""
    known = {"$schema", "$id", "$defs", "$ref", "title", "description", "type", "properties", "required", "items"}
    assert schema.keys() <= known | {"anyOf", "enum"}, schema.keys()
    if "$ref" in schema and not fits(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]):
        return False
    if "anyOf" in schema and not any(fits(value, each) for each in schema["anyOf"]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "type" in schema and (not isinstance(value, TYPES[schema["type"]]) or isinstance(value, bool)):
        return False
    if isinstance(value, list):
        return all(fits(each, schema.get("items", {})) for each in value)
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        return value.keys() >= set(schema.get("required", ())) and all(
            fits(each, fields.get(name, {})) for name, each in value.items()
        )
    return True


def written(event: SegmentEvent) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(encode_event(event))
    return fields


def test_published_schema_is_that_of_the_type() -> None:
    remedy = "run: python -m schemas.json_schema > schemas/json/segment-event.schema.json"
    assert segment_event_schema_text() == PUBLISHED, remedy


def test_event_as_written_fits_the_published_schema() -> None:
    assert fits(written(FULL), SCHEMA)


def test_event_with_nulls_and_without_segments_fits() -> None:
    seen = {**written(FULL), "partner": {"uuid": "x", "dpid": None}, "segments": [], "regions": [], "process_time": 1}
    assert fits(seen, SCHEMA)
    assert fits({**seen, "partner": None}, SCHEMA)


def test_field_of_a_later_version_is_allowed() -> None:
    assert fits({**written(FULL), "note": {}}, SCHEMA)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "privacy"),
        ("aam_uuid", 578),
        ("partner", {"uuid": "x"}),
        ("regions", ["9"]),
        ("segments", [{"segment_id": "1", "status": "1", "verified_at": 1}]),
        ("received_at", "3"),
        ("origin", None),
    ],
)
def test_event_of_another_shape_does_not_fit(name: str, value: Any) -> None:
    assert not fits({**written(FULL), name: value}, SCHEMA)


@pytest.mark.parametrize("name", sorted(written(FULL)))
def test_every_field_is_required(name: str) -> None:
    assert not fits({key: value for key, value in written(FULL).items() if key != name}, SCHEMA)
