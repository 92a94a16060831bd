"""How far a backfill is, from what sinks say of it."""

from typing import Any

from runtime.processor import InputRecord
from schemas.requests import (
    BACKFILL,
    PROGRESS,
    REDRIVE,
    Backfill,
    BackfillProgress,
    RequestKind,
    encode_request,
    request_headers,
)
from segwire.backfill.state import last_backfill, read_progress


def record(kind: RequestKind, value: bytes | None, sink: str = "p") -> InputRecord:
    headers: Any = request_headers(sink, kind)
    return InputRecord(0, 0, None, value, headers, 0)


def asked(request_id: str, at: int, *segments: str, sink: str = "p") -> InputRecord:
    return record(BACKFILL, encode_request(Backfill(request_id, at, list(segments))), sink)


def said(request_id: str, partition: int, users: int, *, done: bool = False, sink: str = "p") -> InputRecord:
    return record(PROGRESS, encode_request(BackfillProgress(request_id, partition, users, 10, done, 0)), sink)


def test_nothing_was_asked_of_this_sink() -> None:
    assert last_backfill([], "p") is None
    assert last_backfill([asked("a", 1, sink="q"), record(REDRIVE, None), record(BACKFILL, b"?")], "p") is None


def test_last_request_counts_with_what_was_heard_of_it_last() -> None:
    log = [
        asked("old", 1), said("old", 0, 10, done=True), said("new", 1, 3), asked("new", 2, "5"), said("new", 1, 4),
        said("new", 0, 10, done=True), said("new", 1, 9, sink="q"), record(PROGRESS, b"?"),
    ]  # fmt: skip
    state = last_backfill(log, "p")
    assert state is not None
    assert (state.request.request_id, state.request.segments) == ("new", ["5"])
    assert (state.users, state.total) == (14, 20)
    assert not state.is_done(2)
    assert state.is_done(1)


def test_it_is_done_when_every_partition_says_so() -> None:
    state = last_backfill([asked("a", 1), *(said("a", partition, 1, done=True) for partition in (0, 2))], "p")
    assert state is not None
    assert [state.is_done(partitions) for partitions in (2, 3)] == [True, False]
    progress = read_progress(said("a", 1, 5, done=True), "p")
    assert progress is not None
    assert state.heard(progress).is_done(3)
    other = read_progress(said("b", 1, 5, done=True), "p")
    assert other is not None
    assert state.heard(other) == state
