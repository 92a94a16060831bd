"""Delivers again what a destination is asked for: dead letters that are redriven, and backfills.

What is sent is what the user's state is by then, in the same thread and transaction as live changes: so no older state
ever goes out after a newer one. How far requests were taken is kept in the same changelog as the users. Source: ADR 10.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol

import msgspec

from runtime.clock import Clock
from runtime.processor import Backpressure, InputRecord, OutputRecord
from runtime.state.store import data_key, split_data_key
from runtime.state.table import StateTable
from schemas.redriven import Redriven, redriven_marks
from schemas.requests import (
    BACKFILL,
    PROGRESS,
    REDRIVE,
    BackfillProgress,
    decode_backfill,
    encode_request,
    is_request,
    request_headers,
)
from sinks.outbound.asked import Asked, Walk
from sinks.outbound.state import UserState

# In no user's ID, which is text.
_ASKED_KEY = b"\0asked"
_USERS_AT_A_TIME = 200
# Of each second, what backfills and redriven letters may take from live changes.
_TURN_S = 0.5

Marks = Mapping[str, Sequence[Redriven]]
"""By AAM UUID."""


class HandsOutRequests(Protocol):
    """As `runtime.kafka.inbox.Inbox`."""

    def read(self, positions: Mapping[int, int]) -> list[InputRecord]:
        """Return the requests at or past these offsets."""


def is_for(sink: str) -> Callable[[InputRecord], bool]:
    """Return what tells the requests to a sink."""

    def wanted(record: InputRecord) -> bool:
        return is_request(record.headers, sink, REDRIVE) or is_request(record.headers, sink, BACKFILL)

    return wanted


class DeliversAgain(Protocol):
    """As `sinks.outbound.processor.Outbound`. What it raises, it has done nothing of."""

    def resend(self, keys: Collection[bytes], segments: Collection[str], marks: Marks) -> list[OutputRecord]:
        """Send what the users of these state keys are in by now, of some segments, or of all where none is named.

        Raises:
            Backpressure: the partner takes nothing now.
        """

    def reapply(self, records: Sequence[InputRecord]) -> list[OutputRecord]:
        """Read records that could not be read before, and send what they give reason to.

        Raises:
            Backpressure: the partner takes nothing now.
        """


class Again:
    """Takes requests, and goes through the users of a backfill a little at a time."""

    def __init__(
        self, sink: str, topic: str, table: StateTable[UserState], inbox: HandsOutRequests, delivers: DeliversAgain,
        clock: Clock,
    ) -> None:  # fmt: skip
        """Work on `table`; `topic` is where the progress of backfills is told."""
        self._sink = sink
        self._topic = topic
        self._table = table
        self._inbox = inbox
        self._delivers = delivers
        self._clock = clock
        self._walked: dict[int, tuple[Walk, bool]] = {}

    def turn(self, now_ms: int, partitions: Collection[int]) -> list[OutputRecord]:
        """Deliver a part of what is asked for. Where the partner takes nothing now, the rest comes in a later turn."""
        until_s = self._clock.monotonic_s() + _TURN_S
        self._table.load(_asked_key(partition) for partition in partitions)
        self._walked.clear()
        outputs: list[OutputRecord] = []
        with suppress(Backpressure):
            self._take(partitions, outputs)
            self._walk(partitions, outputs, until_s)
        outputs += [self._progress(partition, *walked, now_ms) for partition, walked in self._walked.items()]
        return outputs

    def _take(self, partitions: Collection[int], outputs: list[OutputRecord]) -> None:
        requests = self._inbox.read({partition: self._asked(partition).offset + 1 for partition in partitions})
        for begin in range(0, len(requests), _USERS_AT_A_TIME):
            chosen = requests[begin : begin + _USERS_AT_A_TIME]
            self._redrive([r for r in chosen if is_request(r.headers, self._sink, REDRIVE)], outputs)
            for record in chosen:
                if is_request(record.headers, self._sink, BACKFILL):
                    self._begin(record)
                self._asked(record.partition).offset = record.offset
                self._table.changed(_asked_key(record.partition))

    def _redrive(self, letters: Sequence[InputRecord], outputs: list[OutputRecord]) -> None:
        """Send the users that are named; a letter that is no message of ours comes with the record that it was."""
        named = [record for record in letters if record.value is None]
        originals = [record for record in letters if record.value is not None]
        keys = dict.fromkeys(data_key(record.partition, record.key or b"") for record in named)
        marks: dict[str, list[Redriven]] = {}
        for record in named:
            user = (record.key or b"").decode("utf-8", "replace")
            marks.setdefault(user, []).extend(redriven_marks(record.headers))
        if keys:
            outputs += self._delivers.resend(list(keys), (), marks)
        if originals:
            outputs += self._delivers.reapply(originals)

    def _begin(self, record: InputRecord) -> None:
        with suppress(msgspec.MsgspecError):
            request = decode_backfill(record.value or b"")
            walk = self._asked(record.partition).walk = Walk(request.request_id, request.segments)
            self._walked[record.partition] = walk, False

    def _walk(self, partitions: Collection[int], outputs: list[OutputRecord], until_s: float) -> None:
        left = [partition for partition in sorted(partitions) if self._asked(partition).walk is not None]
        while left and self._clock.monotonic_s() < until_s:
            left = [partition for partition in left if self._step(partition, outputs)]

    def _step(self, partition: int, outputs: list[OutputRecord]) -> bool:
        """Send some users of a partition; return whether there may be more."""
        asked = self._asked(partition)
        walk = asked.walk
        assert walk is not None, "only partitions with one are stepped"
        found = islice(self._table.store.scan(partition, walk.after or _ASKED_KEY), _USERS_AT_A_TIME)
        keys = [key for key, _ in found]
        if keys:
            outputs += self._delivers.resend(keys, walk.segments, {})
            after = split_data_key(keys[-1])[1]
            asked.walk = msgspec.structs.replace(walk, after=after, users=walk.users + len(keys))
        else:
            asked.walk = None
        self._walked[partition] = asked.walk or walk, not keys
        self._table.changed(_asked_key(partition))
        return bool(keys)

    def _progress(self, partition: int, walk: Walk, done: bool, now_ms: int) -> OutputRecord:
        census = self._table.census.get(partition)
        # The entry of what was asked is counted, too.
        entries = 0 if census is None else census.entries - 1
        total = walk.users if done else max(walk.users, entries)
        progress = BackfillProgress(walk.request_id, partition, walk.users, total, done, now_ms)
        headers = request_headers(self._sink, PROGRESS)
        return OutputRecord(self._topic, partition, None, encode_request(progress), headers)

    def _asked(self, partition: int) -> Asked:
        user = self._table[_asked_key(partition)]
        if user.asked is None:
            user.asked = Asked()
        return user.asked


def _asked_key(partition: int) -> bytes:
    return data_key(partition, _ASKED_KEY)
