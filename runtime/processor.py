"""What a processor is: records in, records out. It never sees Kafka, the clock or the transaction that it runs in."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import msgspec

RecordHeaders = list[tuple[str, bytes]]


class InputRecord(msgspec.Struct, frozen=True, gc=False):
    """A record to process; `timestamp_ms` is the record's own, epoch ms."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | str | None]] | None
    timestamp_ms: int


class OutputRecord(msgspec.Struct, frozen=True, gc=False):
    """A record to publish. `partition` -1: by the key's murmur2 hash. A `value` of None is a tombstone."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: RecordHeaders | None = None


class Backpressure(Exception):  # noqa: N818 - the name of what it is, not of a fault
    """Raised by `process`: what the records go to takes nothing now. They come again after `wait_s` seconds.

    The first `processed` records of the batch are done: what was returned or yielded of them is committed. Nothing of
    the others may have been yielded, counted or changed.
    """

    def __init__(self, wait_s: float, processed: int = 0) -> None:
        """Ask for a pause of `wait_s` seconds."""
        super().__init__(f"nothing is taken for {wait_s:.1f} s")
        self.wait_s = wait_s
        self.processed = processed


class TimerFailed(Exception):  # noqa: N818 - the name of what it is, not of a fault
    """Raised by `punctuate`: a timer cannot fire, and is left out from now on. The open transaction is rolled back."""

    def __init__(self, partition: int, kind: str) -> None:
        """Say where, and of what kind the error was."""
        super().__init__(f"a timer of partition {partition} failed ({kind})")


class Processor(Protocol):
    """Decides what follows from records and from time, inside a transaction that may be aborted and run again."""

    def process(self, records: Sequence[InputRecord]) -> Iterable[OutputRecord]:
        """Process records in order; a record that cannot be processed becomes a dead letter among the outputs.

        Raises:
            Backpressure: the records have to wait. Meanwhile no record is fetched, from whichever partition.
        """

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:
        """Let happen what is due by `now_ms` in these partitions; also called where no records come.

        Raises:
            TimerFailed: one of them cannot, and the next call leaves it out.
        """

    def committed(self) -> None:
        """Count what the transaction did: it is done for good."""

    def aborted(self) -> None:
        """Forget what the transaction did: its records come again."""
