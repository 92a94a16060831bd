"""Compile an Avro schema to a Python function that encodes, several times faster than a general encoder.

The schema is walked once, at import; what is left is one expression. Only what our schemas use is supported: string,
int, long, enum, array, record, and a union of null with one other type. The reference is fastavro: a property test
holds both equal, byte for byte.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from schemas.avro_varint import Sizes, encode_long

Field = dict[str, Any]


def compile_encoder(schema: dict[str, Any]) -> Callable[[Any], bytes]:
    """Return a function that encodes an object whose attributes are the fields of the record `schema`."""
    return _Compiler(schema).of_object(schema["fields"])


def encode_array(values: Sequence[Any], encode: Callable[[Any], bytes]) -> bytes:
    """Encode an array as one block, or as none where it is empty."""
    if not values:
        return b"\0"
    return encode_long(len(values)) + b"".join(map(encode, values)) + b"\0"


class _Compiler:
    def __init__(self, schema: dict[str, Any]) -> None:
        self._named: dict[str, Any] = {}
        self._scope: dict[str, Any] = {"SIZES": Sizes(), "long": encode_long, "array": encode_array}
        self._variables = 0
        self._collect(schema)

    def of_object(self, fields: Iterable[Field]) -> Callable[[Any], bytes]:
        parts = [part for field in fields for part in self._parts(field["type"], f"value.{field['name']}")]
        return self._function(parts)

    def _collect(self, schema: Any) -> None:
        if isinstance(schema, list):
            for branch in schema:
                self._collect(branch)
        elif isinstance(schema, dict):
            if "name" in schema and schema["type"] in ("record", "enum"):
                self._named[schema["name"]] = schema
            for field in schema.get("fields", ()):
                self._collect(field["type"])
            self._collect(schema.get("items"))

    def _function(self, parts: list[str]) -> Callable[[Any], bytes]:
        source = f"lambda value: b''.join(({', '.join(parts)},))"
        # The source is made of our own schema files' names alone, never of data.
        function: Callable[[Any], bytes] = eval(source, self._scope)  # noqa: S307
        return function

    def _parts(self, schema: Any, value: str) -> list[str]:
        """Return expressions whose results, one after another, are the encoding of the expression `value`."""
        if isinstance(schema, list):
            return [self._nullable(schema, value)]
        kind = schema["type"] if isinstance(schema, dict) else schema
        schema = self._named.get(kind, schema)
        match schema if isinstance(schema, str) else schema["type"]:
            case "string":
                text = self._variable()
                return [f"SIZES[len({text} := {value}.encode())]", text]
            case "int" | "long":
                return [f"long({value})"]
            case "enum":
                return [f"{self._symbols(schema)}[{value}]"]
            case "array":
                return [f"array({value}, {self._encoder(schema['items'])})"]
            case "record":
                return [
                    part
                    for field in schema["fields"]
                    for part in self._parts(field["type"], f"{value}.{field['name']}")
                ]
        raise NotImplementedError(f"Avro type {kind!r} is not compiled: add it to schemas/avro_compile.py")

    def _nullable(self, union: list[Any], value: str) -> str:
        if len(union) != 2 or union[0] != "null":
            raise NotImplementedError(f"the union {union!r} is not compiled: only null with one other type is")
        held = self._variable()
        return f"(b'\\0' if ({held} := {value}) is None else b'\\2' + {self._encoder(union[1])}({held}))"

    def _encoder(self, schema: Any) -> str:
        if schema in ("int", "long") or (isinstance(schema, dict) and schema["type"] in ("int", "long")):
            return "long"
        name = self._variable()
        self._scope[name] = self._function(self._parts(schema, "value"))
        return name

    def _symbols(self, enum: dict[str, Any]) -> str:
        name = f"SYMBOLS_{enum['name']}"
        self._scope[name] = {symbol: encode_long(index) for index, symbol in enumerate(enum["symbols"])}
        return name

    def _variable(self) -> str:
        self._variables += 1
        return f"_{self._variables}"
