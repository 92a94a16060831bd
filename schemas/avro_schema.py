"""The Avro schemas of what is published, as they lie in `schemas/avro/`."""

import json
from importlib.resources import files
from typing import Any, Literal

RecordName = Literal["SegmentMembershipKey", "SegmentMembership", "SegmentMembershipChange", "DeliveryReceipt"]

RECORD_NAMES: tuple[RecordName, ...] = (
    "SegmentMembershipKey",
    "SegmentMembership",
    "SegmentMembershipChange",
    "DeliveryReceipt",
)


def schema_text(record: RecordName) -> str:
    """Return the text of a record's `.avsc` file, as a registry wants it."""
    return files("schemas").joinpath("avro", f"{record}.avsc").read_text(encoding="utf-8")


def load_schema(record: RecordName) -> dict[str, Any]:
    """Return a record's schema as plain objects."""
    schema: dict[str, Any] = json.loads(schema_text(record))
    return schema


def without_logical_types(schema: Any) -> Any:
    """Return the schema with the same bytes and plain values: times stay epoch milliseconds."""
    if isinstance(schema, list):
        return [without_logical_types(each) for each in schema]
    if isinstance(schema, dict):
        return {name: without_logical_types(value) for name, value in schema.items() if name != "logicalType"}
    return schema


def enum_symbols(schema: dict[str, Any], field: str) -> dict[str, bytes]:
    """Return how each symbol of a record's enum field is encoded; there are fewer than 64."""
    enum: Any = next(each["type"] for each in schema["fields"] if each["name"] == field)
    return {symbol: bytes((index << 1,)) for index, symbol in enumerate(enum["symbols"])}
