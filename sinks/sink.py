"""What a sink is: records in, written somewhere else. The loop, retries and dead letters are the frame's.

Source: ADR 8; how to write one is in `docs/SINKS.md`.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

from runtime.processor import InputRecord, OutputRecord


class Retriable(Exception):  # noqa: N818 - the name of what it is, not of a fault
    """Raised by `write`: what is written to cannot take it now. The same records come again, later and later."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        """Say why, to a person; `wait_s` is how long it asks to be left alone, where it said so (`Retry-After`)."""
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


class InvalidRecord(Exception):  # noqa: N818 - the name of what it is, not of a fault
    """Raised by `write`: some record among these is refused for good, and nothing of them was written.

    Of several records the frame finds by halves which one it is; of one it makes a dead letter.
    """

    def __init__(self, error: str, reason: str) -> None:
        """Give the stable class of the error (`kebab-case`), and the reason for a person."""
        super().__init__(reason)
        self.error = error
        self.reason = reason


class Refusal(NamedTuple):
    """A record that is refused for good: it becomes a dead letter. The fields are those of `InvalidRecord`."""

    record: InputRecord
    error: str
    reason: str


Outcome = OutputRecord | Refusal


class Tends(Protocol):
    """What a sink does beside writing."""

    def tend(self, partitions: Collection[int]) -> None:
        """See to partitions that are new to this process, before any record of them comes. May block for some seconds.

        Raises:
            Retriable: not now; it is called again.
            Backpressure: there is more to do; it is called again soon.
        """


class Sink(Protocol):
    """Writes records somewhere. A record may come again, so what is written twice has to be as if written once.

    The key and the `version` of a row or change tell what was written before.
    """

    def write(self, records: Sequence[InputRecord]) -> Iterable[Outcome]:
        """Write records, those of a partition in their order; return what else there is to publish or set aside.

        What it returns is published in one transaction with the input offsets. May block for some seconds.

        Raises:
            Retriable: nothing, or only a part, was written.
            InvalidRecord: nothing was written, and a record among these never will be.
        """
