"""The sink that `docs/SINKS.md` shows is a sink."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime.loop import TransactionLoop
from runtime.processor import Backpressure
from runtime.settings import Settings
from schemas.avro_codec import encode_key, encode_membership
from schemas.requests import REDRIVE, request_headers
from schemas.topics import TopicNames
from sinks.context import SinkContext
from sinks.frame import SinkProcessor
from sinks.redelivery import Redelivery
from tests.support.published import key, row
from tests.support.sinks import ManualClock, record

_PAGE = Path(__file__).parents[3] / "docs" / "SINKS.md"
KEY = encode_key(key())


def example() -> str:
    return examples()[0]


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)


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


def test_what_it_set_aside_comes_back_to_it_and_an_older_row_changes_nothing(
    shown: dict[str, Any], tmp_path: Path
) -> None:  # fmt: skip
    hosted: dict[str, Any] = {}

    def loop(_settings: object, name: str, topic: str, _section: object, processor: Any, _state: None) -> str:
        hosted[topic] = processor
        return name

    around = {"SinkProcessor": SinkProcessor, "SystemClock": ManualClock, "Redelivery": Redelivery}
    known = {
        **shown,
        **around,
        "transaction_loop": loop,
        "SinkContext": SinkContext,
        "TransactionLoop": TransactionLoop,
    }
    exec(compile(examples()[1], str(_PAGE), "exec"), known)
    names = TopicNames("")
    path = tmp_path / "rows.db"
    section = shown["SqliteSettings"](type="sqlite", path=str(path))
    with ExitStack() as cleanup:
        context = SinkContext("mine", Settings(), names, cleanup)
        assert known["sqlite_loops"](context, section) == ["sink-mine", "sink-mine:requests"]
    hosted[names.segment_membership].process([record(9, put(5), KEY)])
    for offset, version in ((3, 4), (7, 6)):
        headers: Any = request_headers("mine", REDRIVE, (names.segment_membership, 0, offset))
        hosted[names.sink_requests].process([msgspec.structs.replace(record(1, put(version), KEY), headers=headers)])
    with closing(sqlite3.connect(path)) as written:
        assert written.execute("SELECT version FROM membership").fetchall() == [(6,)]
    for processor in (hosted[names.segment_membership], *hosted[names.sink_requests]._processors.values()):
        processor._sink._file.close()
