from typing import Any

import msgspec
import pytest

from schemas.avro_compile import compile_encoder, compile_fields


def record(*types: Any) -> dict[str, Any]:
    fields = [{"name": f"f{position}", "type": each} for position, each in enumerate(types)]
    return {"type": "record", "name": "R", "fields": fields}


class Inner(msgspec.Struct):
    f0: str


def test_fields_are_encoded_one_after_another() -> None:
    encode = compile_fields(record("string", "int", ["null", "long"]), ["f0", "f1", "f2"])
    assert encode("ab", -1, None) == b"\x04ab\x01\x00"
    assert encode("", 64, 1) == b"\x00\x80\x01\x02\x02"


def test_array_of_records_is_one_block() -> None:
    encode = compile_fields(record({"type": "array", "items": {**record("string"), "name": "I"}}), ["f0"])
    assert encode([]) == b"\x00"
    assert encode([Inner("a"), Inner("b")]) == b"\x04\x02a\x02b\x00"


def test_named_type_is_found_where_it_was_defined() -> None:
    enum = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
    assert compile_fields(record(enum, "E"), ["f0", "f1"])("B", "A") == b"\x02\x00"


def test_object_is_encoded_by_its_attributes() -> None:
    assert compile_encoder(record("string"))(Inner("a")) == b"\x02a"


def test_unknown_symbol_is_refused() -> None:
    encode = compile_fields(record({"type": "enum", "name": "E", "symbols": ["A"]}), ["f0"])
    with pytest.raises(KeyError, match="B"):
        encode("B")


@pytest.mark.parametrize("names", [["f1", "f0"], ["f0", "f2"], ["f2", "f3"]])
def test_fields_that_do_not_stand_together_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="do not stand together"):
        compile_fields(record("int", "int", "int"), names)


@pytest.mark.parametrize("unsupported", ["double", {"type": "map", "values": "int"}, ["int", "null"], ["null"]])
def test_type_that_no_schema_of_ours_uses_is_not_compiled(unsupported: Any) -> None:
    with pytest.raises(NotImplementedError, match="not compiled"):
        compile_fields(record(unsupported), ["f0"])
