"""How far the last backfill of a sink is, from the records of `sink-requests`. Pure."""

from collections.abc import Iterable

import msgspec

from runtime.processor import InputRecord
from schemas.requests import (
    BACKFILL,
    PROGRESS,
    Backfill,
    BackfillProgress,
    decode_backfill,
    decode_progress,
    is_request,
)


class BackfillState(msgspec.Struct, frozen=True):
    """A request, and the last that was heard of it from each partition."""

    request: Backfill
    progress: dict[int, BackfillProgress]

    def is_done(self, partitions: int) -> bool:
        """Tell whether every partition is gone through."""
        return sum(each.done for each in self.progress.values()) == partitions

    @property
    def users(self) -> int:
        """How many users were gone through."""
        return sum(each.users for each in self.progress.values())

    @property
    def total(self) -> int:
        """How many there are in the partitions that were heard of."""
        return sum(each.total for each in self.progress.values())

    def heard(self, progress: BackfillProgress) -> "BackfillState":
        """Return the state with what a partition says; of another request it says nothing."""
        if progress.request_id != self.request.request_id:
            return self
        return BackfillState(self.request, {**self.progress, progress.partition: progress})


def last_backfill(records: Iterable[InputRecord], sink: str) -> BackfillState | None:
    """Return the last backfill that a sink was asked for; None where it never was."""
    requests: dict[str, Backfill] = {}
    heard: list[BackfillProgress] = []
    for record in records:
        progress = read_progress(record, sink)
        if progress is not None:
            heard.append(progress)
        elif is_request(record.headers, sink, BACKFILL):
            request = _decoded(record.value)
            if request is not None:
                requests[request.request_id] = request
    if not requests:
        return None
    state = BackfillState(max(requests.values(), key=lambda each: each.requested_at), {})
    for progress in heard:
        state = state.heard(progress)
    return state


def read_progress(record: InputRecord, sink: str) -> BackfillProgress | None:
    """Return what a record says of the progress of a sink's backfill, None where it is another."""
    if not is_request(record.headers, sink, PROGRESS):
        return None
    try:
        return decode_progress(record.value or b"")
    except msgspec.MsgspecError:
        return None


def _decoded(value: bytes | None) -> Backfill | None:
    try:
        return decode_backfill(value or b"")
    except msgspec.MsgspecError:
        return None
