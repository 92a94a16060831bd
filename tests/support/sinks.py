"""Doubles for what is around a sink, and records for it."""

from collections.abc import Callable, Sequence

from runtime.processor import InputRecord
from sinks.sink import Outcome


class ManualClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now_ms(self) -> int:
        return int(self.at_s * 1000)

    def monotonic_s(self) -> float:
        return self.at_s


class ScriptedSink:
    """A sink that does what the test says with each batch, and keeps what it wrote."""

    def __init__(self) -> None:
        self.written: list[bytes | None] = []
        self.batches: list[int] = []
        self.act: Callable[[Sequence[InputRecord]], Sequence[Outcome]] = lambda _records: ()

    def write(self, records: Sequence[InputRecord]) -> Sequence[Outcome]:
        self.batches.append(len(records))
        outcomes = self.act(records)
        self.written.extend(record.value for record in records)
        return outcomes


def record(offset: int, value: bytes | None = b"v", key: bytes | None = b"k", partition: int = 0) -> InputRecord:
    return InputRecord(partition, offset, key, value, [("segwire-received-at-ms", b"5")], 1)
