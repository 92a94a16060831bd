"""The sink that `docs/SINKS.md` shows is a sink."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.processor import Backpressure
from schemas.avro_codec import encode_key, encode_membership
from sinks.frame import SinkProcessor
from tests.support.published import key, row
from tests.support.sinks import ManualClock, record

_PAGE = Path(__file__).parents[3] / "docs" / "SINKS.md"
KEY = encode_key(key())


def example() -> str:
    (found,) = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


@pytest.fixture
def shown() -> Iterator[dict[str, Any]]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example(), str(_PAGE), "exec"), names)
    names["settings"] = names["SqliteSettings"](type="sqlite", path=":memory:")
    names["sink"] = names["SqliteSink"](names["settings"])
    yield names
    names["sink"]._file.close()


def put(version: int) -> bytes:
    return encode_membership(row(version=version))


def test_it_is_as_short_as_the_page_says() -> None:
    code = [line for line in example().splitlines() if line.strip() and not line.startswith(("import", "from", '"""'))]
    assert len(code) <= 40


def test_it_writes_newer_rows_and_refuses_what_is_none(shown: dict[str, Any]) -> None:
    processor = SinkProcessor("mine", "rows", "dead", shown["sink"], ManualClock())
    batch = [record(1, put(2), KEY), record(2, put(1), KEY), record(3, b"{}", KEY), record(4, None, KEY)]
    assert [output.value for output in processor.process(batch)] == [b"{}"]
    processor.process(batch)
    assert shown["sink"]._file.execute("SELECT version, status FROM membership").fetchall() == [(2, "ACTIVE")]


def test_it_waits_where_it_cannot_write(shown: dict[str, Any]) -> None:
    shown["sink"]._file.execute("PRAGMA query_only = on")
    processor = SinkProcessor("mine", "rows", "dead", shown["sink"], ManualClock())
    with pytest.raises(Backpressure):
        processor.process([record(1, put(1), KEY)])
