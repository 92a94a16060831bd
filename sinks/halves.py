"""Finds the records that are refused among many, by halves."""

from collections.abc import Callable, Iterable, Sequence

from runtime.processor import InputRecord
from sinks.sink import InvalidRecord, Outcome, Refusal


def write_in_halves(
    write: Callable[[Sequence[InputRecord]], Iterable[Outcome]], records: Sequence[InputRecord]
) -> list[Outcome]:
    """Write what can be, in order, and return what follows from it; each record that cannot be is a refusal.

    Raises:
        Retriable: as `write` does; a part may be written.
    """
    try:
        return list(write(records))
    except InvalidRecord as refused:
        if len(records) == 1:
            return [Refusal(records[0], refused.error, refused.reason)]
    half = len(records) // 2
    return [*write_in_halves(write, records[:half]), *write_in_halves(write, records[half:])]
