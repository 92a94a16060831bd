"""Renders the configuration reference from the settings themselves.

`python -m runtime.settings_reference > docs/CONFIGURATION.md`; a test fails when that file is stale.
"""

import sys
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from runtime.settings import Settings

_HEAD = """# Configuration

Every command reads `segwire.yaml` (or `--config PATH`), then environment variables, and checks the whole before
anything starts. An unknown key or variable stops the start with exit code 2 and names the nearest valid one. This page
is rendered from the settings: `python -m runtime.settings_reference > docs/CONFIGURATION.md`.

A variable is `SEGWIRE_` and the path with `__` between levels: `kafka.bootstrap_servers` is
`SEGWIRE_KAFKA__BOOTSTRAP_SERVERS`. `*` stands for a name that you give, or in a list for
a place from 0 on. A `secret` is taken from a variable as it is; one newline at the end of a file of secrets is not part
of it.

```yaml
kafka: {bootstrap_servers: "broker-1:9092,broker-2:9092", partitions: 12, replication_factor: 3}
sources:
  adobe:
    hmac:
      keys:
        - {secret_file: /run/secrets/adobe-old, not_after: 2026-02-01T00:00:00Z}
        - {secret_file: /run/secrets/adobe-new}
membership:
  default_ttl_days: 120
  segments: {"14356": {ttl_days: 30, name: "newsletter"}}
sinks:
  warehouse: {type: postgres, dsn_file: /run/secrets/warehouse-dsn}
destinations:
  partner-a:
    url: "https://partner.example/segments"
    client_id: "74323"
    destination_id: "423"
    auth: {hmac: {keys: [{secret_file: /run/secrets/partner-a}]}}
    segments: {"14356": {value: "gold"}}
```
"""

_NAMES = {
    "int": "integer",
    "str": "text",
    "bool": "true or false",
    "float": "number",
    "NoneType": "none",
    "datetime": "ISO 8601 time",
}


def reference() -> str:
    """Return the whole page."""
    return _HEAD + "\n" + "\n".join(_section(Settings, ""))


def _section(model: type[BaseModel], prefix: str) -> Iterator[str]:
    rows = [(name, field) for name, field in model.model_fields.items() if _below(field.annotation) is None]
    if prefix:
        yield f"## `{prefix.rstrip('.')}`\n"
        yield f"{(model.__doc__ or '').strip().splitlines()[0]}\n"
    if rows:
        yield "| setting | value | default | |\n|---|---|---|---|"
        yield from (_row(prefix + name, field) for name, field in rows)
        yield ""
    for name, field in model.model_fields.items():
        below = _below(field.annotation)
        if below is not None:
            inner, many = below
            yield from _section(inner, f"{prefix}{name}.{'*.' if many else ''}")


def _below(annotation: Any) -> tuple[type[BaseModel], bool] | None:
    """Return the section below a setting, and whether there may be many of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    origin = get_origin(annotation)
    if origin in (dict, list):
        found = _below(get_args(annotation)[-1])
        return None if found is None else (found[0], True)
    if origin in (Union, types.UnionType):
        return next((found for choice in get_args(annotation) if (found := _below(choice)) is not None), None)
    return None


def _row(path: str, field: FieldInfo) -> str:
    return f"| `{path}` | {_kind(field)} | {_default(field)} | {field.description or ''} |"


def _kind(field: FieldInfo) -> str:
    bounds = {type(item).__name__.lower(): item for item in field.metadata}
    low = getattr(bounds.get("ge"), "ge", None)
    high = getattr(bounds.get("le"), "le", None)
    kind = _name(field.annotation)
    return f"{kind}, {low} to {high}" if low is not None and high is not None else kind


def _name(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(_name(choice) for choice in get_args(annotation) if choice is not type(None))
    if origin is dict:
        return "map"
    if origin is list:
        return "list"
    if origin is Annotated:
        return _name(get_args(annotation)[0])
    return _NAMES.get(getattr(annotation, "__name__", ""), "text")


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "none"
    if field.default is PydanticUndefined:
        return "required"
    value = field.default
    if value is None or value == "":
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
