import copy
import io
from collections.abc import Iterator
from typing import Any, get_args

import fastavro
import pytest

from schemas.avro_schema import RECORD_NAMES, RecordName, load_schema, schema_text, without_logical_types
from schemas.event import Status
from schemas.membership import (
    Cause,
    ChangeKind,
    SegmentMembership,
    SegmentMembershipChange,
    SegmentMembershipKey,
)
from schemas.receipts import DeliveryOutcome, DeliveryReceipt
from schemas.topics import TOPICS

STRUCTS: dict[RecordName, Any] = {
    "SegmentMembershipKey": SegmentMembershipKey,
    "SegmentMembership": SegmentMembership,
    "SegmentMembershipChange": SegmentMembershipChange,
    "DeliveryReceipt": DeliveryReceipt,
}
ROW = {
    "client_id": "1",
    "destination_id": "",
    "aam_uuid": "2",
    "segment_id": "3",
    "status": "ACTIVE",
    "since": 1,
    "verified_at": 2,
    "expires_at": None,
    "cause": "PRIVACY",
    "partners": [],
    "regions": [],
    "version": 1,
}


def types_in(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, list):
        for each in schema:
            yield from types_in(each)
    elif isinstance(schema, dict):
        yield schema
        yield from types_in([schema.get("items"), schema.get("type"), schema.get("fields")])


def migrate(written: dict[str, Any], writer: Any, reader: Any) -> Any:
    writer, reader = (fastavro.parse_schema(without_logical_types(schema)) for schema in (writer, reader))
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, writer, written)
    stream.seek(0)
    return fastavro.schemaless_reader(stream, writer, reader)


@pytest.mark.parametrize("record", RECORD_NAMES)
def test_schema_has_the_fields_of_its_type_in_the_same_order(record: RecordName) -> None:
    schema = load_schema(record)
    assert f"{schema['namespace']}.{schema['name']}" == f"segwire.{record}"
    assert tuple(field["name"] for field in schema["fields"]) == STRUCTS[record].__struct_fields__


@pytest.mark.parametrize("record", RECORD_NAMES)
def test_everything_is_documented_and_every_enum_has_a_default(record: RecordName) -> None:
    for each in types_in(load_schema(record)):
        assert "name" not in each or each.get("doc"), each
        assert each.get("type") != "enum" or each["default"] in each["symbols"]


def test_enums_have_the_symbols_of_their_types() -> None:
    symbols = {
        each["name"]: tuple(each["symbols"])
        for record in RECORD_NAMES
        for each in types_in(load_schema(record))
        if each.get("type") == "enum"
    }
    assert symbols == {
        "Status": get_args(Status),
        "Cause": get_args(Cause),
        "ChangeKind": get_args(ChangeKind),
        "DeliveryOutcome": get_args(DeliveryOutcome),
    }


def test_types_of_one_name_are_the_same_in_every_record() -> None:
    named: dict[str, Any] = {}
    for record in RECORD_NAMES:
        for each in types_in(load_schema(record)):
            if each.get("type") in ("record", "enum"):
                assert named.setdefault(each["name"], each) == each


def test_row_begins_with_its_key_and_change_with_its_row() -> None:
    key, row, change = (load_schema(record)["fields"] for record in RECORD_NAMES[:3])
    assert row[: len(key)] == key
    assert change[: len(row)] == row


def test_manifest_names_these_schemas_under_different_ids() -> None:
    schemas = [each for topic in TOPICS for each in (topic.key_schema, topic.value_schema) if each]
    assert sorted(each.record for each in schemas) == sorted(RECORD_NAMES)
    assert len({each.schema_id for each in schemas}) == len(schemas)


def test_text_of_a_schema_ends_in_a_line_feed() -> None:
    assert schema_text("SegmentMembership").endswith("}\n")


def test_row_with_a_new_field_and_a_new_cause_is_readable_with_todays_schema() -> None:
    today = load_schema("SegmentMembership")
    later = copy.deepcopy(today)
    next(field for field in later["fields"] if field["name"] == "cause")["type"]["symbols"].append("MERGED")
    later["fields"].append({"name": "note", "type": "string", "default": ""})
    assert migrate({**ROW, "cause": "MERGED", "note": "n"}, later, today) == {**ROW, "cause": "DISQUALIFIED"}


def test_row_without_what_has_a_default_is_readable_with_todays_schema() -> None:
    today = load_schema("SegmentMembership")
    optional = {"expires_at", "partners", "regions"}
    earlier = {**today, "fields": [field for field in today["fields"] if field["name"] not in optional]}
    assert migrate({name: value for name, value in ROW.items() if name not in optional}, earlier, today) == ROW
