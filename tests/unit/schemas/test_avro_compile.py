from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from schemas.avro_compile import compile_encoder


def record(*types: Any) -> dict[str, Any]:
    fields = [{"name": f"f{position}", "type": each} for position, each in enumerate(types)]
    return {"type": "record", "name": "R", "fields": fields}


def encoded(schema: dict[str, Any], *values: Any) -> bytes:
    """Encode an object whose fields are named as those of `record`."""
    fields = {f"f{position}": value for position, value in enumerate(values)}
    return compile_encoder(schema)(SimpleNamespace(**fields))


class Inner(msgspec.Struct):
    f0: str


def test_fields_are_encoded_one_after_another() -> None:
    schema = record("string", "int", ["null", "long"])
    assert encoded(schema, "ab", -1, None) == b"\x04ab\x01\x00"
    assert encoded(schema, "", 64, 1) == b"\x00\x80\x01\x02\x02"


def test_array_of_records_is_one_block() -> None:
    schema = record({"type": "array", "items": {**record("string"), "name": "I"}})
    assert encoded(schema, []) == b"\x00"
    assert encoded(schema, [Inner("a"), Inner("b")]) == b"\x04\x02a\x02b\x00"


def test_named_type_is_found_where_it_was_defined() -> None:
    enum = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
    assert encoded(record(enum, "E"), "B", "A") == b"\x02\x00"


def test_object_is_encoded_by_its_attributes() -> None:
    assert compile_encoder(record("string"))(Inner("a")) == b"\x02a"


def test_unknown_symbol_is_refused() -> None:
    with pytest.raises(KeyError, match="B"):
        encoded(record({"type": "enum", "name": "E", "symbols": ["A"]}), "B")


@pytest.mark.parametrize("unsupported", ["double", {"type": "map", "values": "int"}, ["int", "null"], ["null"]])
def test_type_that_no_schema_of_ours_uses_is_not_compiled(unsupported: Any) -> None:
    with pytest.raises(NotImplementedError, match="not compiled"):
        compile_encoder(record(unsupported))
