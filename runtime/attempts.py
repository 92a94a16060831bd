"""What outlives a process that dies while it processes records: which they were, and how often that happened.

A small file beside the local state, and not the metadata of the committed offsets: it costs nothing while all is well,
it is written without a broker, and the metadata already tell the outcome of transactions. Whoever loses the file, or
the partition to another replica, has to see the deaths again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from runtime.processor import InputRecord
from runtime.service import write_whole

_log = structlog.get_logger()

DEATHS = 3


class Suspect(msgspec.Struct, frozen=True):
    """Offsets `first` to `next` (exclusive) of a partition: a process died while these were in process.

    `deaths`: how many died while the record `first` was in process alone; before that nobody knows which it was.
    """

    first: int
    next: int
    deaths: int


class Memory(msgspec.Struct):
    """What is remembered. Partitions are keys.

    `running`: the process did not come to its end. `ramping`: one died, and nobody knows of which record. `attempt`:
    first and next offset of what is in process, as long as that is noted. `in_row`, `set_aside`, `seen`: of the last
    records, how many could not be processed; for the limits.
    """

    running: bool = False
    ramping: bool = False
    attempt: dict[int, tuple[int, int]] = {}
    suspects: dict[int, Suspect] = {}
    in_row: int = 0
    set_aside: int = 0
    seen: int = 0


class Keeper(Protocol):
    """Where the memory is kept."""

    def load(self) -> str | None:
        """Return what was saved last, None for nothing."""

    def save(self, text: str) -> None:
        """Replace what was saved; raises OSError."""


class MemoryFile:
    """A file of one loop of one replica."""

    def __init__(self, path: Path) -> None:
        """Keep the memory at `path`."""
        self._path = path

    def load(self) -> str | None:
        """Return what was saved last, None for nothing."""
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def save(self, text: str) -> None:
        """Replace it. It is not synced: what is remembered is the death of processes, not of machines."""
        write_whole(self._path, text)


class Attempts:
    """Knows which records may be what the last processes died of."""

    def __init__(self, keeper: Keeper) -> None:
        """Take up the memory; `begin` concludes from it how the last process ended."""
        self._keeper = keeper
        self._told = False
        self.memory = _decoded(keeper.load())

    def begin(self) -> None:
        """Note that a process runs now; where the last one died, note what it died of, as far as that is known."""
        memory = self.memory
        if memory.running and memory.attempt:
            before = memory.suspects
            alone = len(memory.attempt) == 1 and all(next_ == first + 1 for first, next_ in memory.attempt.values())
            memory.suspects = {
                partition: Suspect(first, next_, self._deaths(before.get(partition), first) + alone)
                for partition, (first, next_) in memory.attempt.items()
            }
            _log.warning("process_died", records={p: [s.first, s.next] for p, s in memory.suspects.items()})
        elif memory.running and not memory.suspects:
            memory.ramping = True
            _log.warning("process_died", records="unknown")
        memory.running, memory.attempt = True, {}
        self.save()

    def end(self) -> None:
        """Note that the process ends, for whatever reason, alive."""
        self.memory.running, self.memory.attempt = False, {}
        self.save()

    def note(self, records: Sequence[InputRecord]) -> None:
        """Note what is to be processed now."""
        attempt: dict[int, tuple[int, int]] = {}
        for record in records:
            first = attempt.get(record.partition, (record.offset, 0))[0]
            attempt[record.partition] = (first, record.offset + 1)
        self.memory.attempt = attempt
        self.save()

    def drop_note(self) -> None:
        """Nothing is in process any more."""
        if self.memory.attempt:
            self.memory.attempt = {}
            self.save()

    def suspected(self, positions: Mapping[int, int | None]) -> bool:
        """Tell whether any of these partitions is at records of which processes died; forget what is passed.

        `positions` are the next offsets of the partitions that are held, None where that is unknown.
        """
        suspects = self.memory.suspects
        passed = [p for p, s in suspects.items() if (at := positions.get(p)) is not None and at >= s.next]
        for partition in passed:
            del suspects[partition]
        return any(partition in positions for partition in suspects)

    def is_deadly(self, record: InputRecord) -> bool:
        """Tell whether processes died of this very record, often enough to be sure."""
        suspect = self.memory.suspects.get(record.partition)
        alone = suspect is not None and (suspect.first, suspect.next) == (record.offset, record.offset + 1)
        return suspect is not None and alone and suspect.deaths >= DEATHS

    def save(self) -> None:
        """Keep what changed; where that fails, deaths are not remembered."""
        try:
            self._keeper.save(msgspec.json.encode(self.memory).decode())
        except OSError as error:
            if not self._told:
                self._told = True
                _log.warning("attempts_not_kept", detail=str(error))

    def _deaths(self, before: Suspect | None, first: int) -> int:
        """Return how many processes had died of the very record at `first`, before the last one did."""
        return before.deaths if before is not None and before.first == first else 0


def _decoded(text: str | None) -> Memory:
    if text is None:
        return Memory()
    try:
        return msgspec.json.decode(text, type=Memory)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _log.warning("attempts_unreadable")
        return Memory()
