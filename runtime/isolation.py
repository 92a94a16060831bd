"""Finds the record that cannot be processed, and sets it aside, alone; the line goes on.

A transaction that fails is tried again with half of its records, until one fails alone; with each success the portion
grows again. A record becomes a dead letter only if it failed alone after it had failed before, or if processes died of
it. Where too many fail, something else is wrong, and the service stops: else it would empty the topic into the dead
letters.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog

from runtime import metrics
from runtime.attempts import DEATHS, Attempts
from runtime.dead_letters import dead_letter
from runtime.errors import SegwireError
from runtime.kafka.transaction import RecordsFailed
from runtime.processor import InputRecord, OutputRecord, RecordHeaders
from runtime.processor_settings import ProcessorSettings
from schemas.headers import REDRIVEN, SOURCE, header_text

_log = structlog.get_logger()

_SHARE_RECORDS = 10_000
# Where processes die of a portion, the next ones try its records one by one.
_RAMP_PORTION = 256
# A dead letter has its own of these.
_OWN_HEADERS = frozenset({"stage", "error", "reason", "source", "topic", "partition", "offset", "user-index", REDRIVEN})


class Place(NamedTuple):
    """Whose records are set aside, and where.

    `waits`: to process is to wait for others, so a kill from outside nearly always meets records in process: then no
    number of deaths speaks against a record.
    """

    processor: str
    stage: str
    topic: str
    dead_letters: str
    waits: bool = False


class PoisonLimitError(SegwireError):
    """Too many records cannot be processed: their number says that it is not the records' fault."""


class Isolation:
    """Says how many records to try at once, and which not to process at all."""

    def __init__(self, place: Place, settings: ProcessorSettings, attempts: Attempts) -> None:
        """Set records of `place` aside; `attempts` are what former processes left."""
        self._place = place
        self._usual = settings.batch_records
        self._portion_max = max(settings.batch_records, _RAMP_PORTION)
        self._ramp_records = settings.max_transaction_records
        self._run_max = settings.poison_run_records
        self._share_max = settings.poison_share_percent
        self._attempts = attempts
        self._portion: int | None = None
        self._set_aside: dict[tuple[int, int], RecordsFailed] = {}
        self._alone = False
        self._ramp_left = 0
        self._failing = metrics.ISOLATING.labels(processor=place.processor)

    @property
    def careful(self) -> bool:
        """Whether each portion is a transaction of its own."""
        return self._portion is not None or self._alone

    def begin(self) -> None:
        """Begin where the last process ended, or died."""
        self._attempts.begin()
        if self._attempts.memory.ramping:
            self._portion, self._ramp_left = 1, self._ramp_records

    def end(self) -> None:
        """The process ends alive."""
        self._attempts.end()

    def portion(self, positions: Mapping[int, int | None]) -> int:
        """Return how many records to fetch, of the partitions that are held, with their next offsets.

        In careful times that may be more than a batch: they share a transaction.
        """
        memory = self._attempts.memory
        if self._set_aside:
            self._set_aside = {at: failure for at, failure in self._set_aside.items() if at[0] in positions}
        self._alone = bool(memory.suspects) and self._attempts.suspected(positions)
        self._failing.set(self.careful)
        if self._alone:
            return 1
        return self._usual if self._portion is None else self._portion

    def split(
        self, records: Sequence[InputRecord], positions: Mapping[int, int | None]
    ) -> tuple[Sequence[InputRecord], Sequence[InputRecord]]:
        """Return what to try now, and what has to come again: a record to set aside goes alone.

        `positions` are those before the records: partitions may have come with the very fetch.
        """
        if not self._set_aside and not self._attempts.memory.suspects:
            return records, ()
        portion = self.portion(positions)
        if len(records) > portion:
            now, later = self.split(records[:portion], positions)
            return now, [*later, *records[portion:]]
        for index, record in enumerate(records):
            if self._is_set_aside(record):
                return (records[:index], records[index:]) if index else (records[:1], records[1:])
        return records, ()

    def begin_attempt(self, records: Sequence[InputRecord]) -> OutputRecord | None:
        """Note what is processed now; return the dead letter where that is the one record to set aside."""
        failure = self._set_aside.get((records[0].partition, records[0].offset))
        if failure is not None:
            return self._dead_letter(records[0], failure)
        if self.careful:
            self._attempts.note(records)
        return None

    def attempted(self) -> None:
        """The records are processed; what kills from here on is not they."""
        self._attempts.drop_note()

    def interrupted(self) -> None:
        """The attempt ended without a result, by no fault of its records."""
        self._attempts.drop_note()

    def failed(self, failure: RecordsFailed, first: Mapping[int, int], records: int) -> None:
        """A transaction of so many records failed, which began at these offsets.

        Raises:
            SegwireError: it held no records: there is nothing to set aside.
            PoisonLimitError: too many records have failed.
        """
        metrics.RECORDS_FAILED.labels(processor=self._place.processor, error=failure.error).inc()
        self._attempts.drop_note()
        if not records:
            raise SegwireError(
                f"{self._place.processor}: what follows from timers cannot be published: {failure}; "
                "see the state of the users that are due with `segwire state inspect`"
            )
        if records == 1 and self.careful:
            ((partition, offset),) = first.items()
            self._decide(partition, offset, failure)
        self._portion = min(max(1, records // 2), self._portion_max)
        _log.warning("records_tried_in_parts", error=failure.error, records=records, portion=self._portion)

    def committed(self, records: int, next_offsets: Mapping[int, int]) -> None:
        """A transaction of so many records succeeded, up to these offsets."""
        if not records:
            return  # timers alone say nothing about records
        if self._set_aside or self._attempts.memory.in_row:
            self._count_committed(next_offsets)
        self._note_seen(records)
        self._ramp_left -= records
        if self._portion is not None:
            self._portion = min(2 * self._portion, _RAMP_PORTION if self._ramp_left > 0 else self._portion_max)
            if self._portion == self._portion_max and self._ramp_left <= 0:
                self._relax()

    def idle(self) -> None:
        """Every partition is at its end: what made it careful is over."""
        if self._portion is not None and not self._set_aside:
            self._relax()

    def _relax(self) -> None:
        self._portion, self._ramp_left = None, 0
        self._attempts.memory.attempt, self._attempts.memory.ramping = {}, False
        self._attempts.save()

    def _is_set_aside(self, record: InputRecord) -> bool:
        at = (record.partition, record.offset)
        if at not in self._set_aside and not self._place.waits and self._attempts.is_deadly(record):
            reason = f"{DEATHS} processes died while they processed this record alone"
            self._decide(*at, RecordsFailed("process-died", reason))
        return at in self._set_aside

    def _decide(self, partition: int, offset: int, failure: RecordsFailed) -> None:
        """Set a record aside, unless that would be one too many."""
        place, memory = self._place, self._attempts.memory
        where = f"topic {place.topic} partition {partition} offset {offset}"
        if (partition, offset) in self._set_aside:
            raise SegwireError(
                f"{place.processor}: {where} cannot be processed, and {place.dead_letters} does not take it either: "
                f"{failure}; raise max.message.bytes of {place.dead_letters}"
            ) from failure
        in_row, set_aside = memory.in_row + 1, memory.set_aside + 1
        share = 100 * set_aside / (memory.seen + 1)
        if in_row > self._run_max or (set_aside > self._run_max and share > self._share_max):
            raise PoisonLimitError(
                f"{place.processor}: {where} cannot be processed ({failure.error}: {failure.kind}), and before it "
                f"{memory.in_row} in a row, {memory.set_aside} of the last {memory.seen}; this one was not set aside. "
                "Mend what they have in common (the dead letters tell) and start again; or raise poison_run_records "
                f"({self._run_max}) or poison_share_percent ({self._share_max:g})"
            ) from failure
        memory.in_row, memory.set_aside, memory.seen = in_row, set_aside, memory.seen + 1
        self._set_aside[partition, offset] = failure
        self._attempts.save()
        _log.error(
            "record_set_aside", topic=place.topic, partition=partition, offset=offset, error=failure.error,
            kind=failure.kind, in_row=in_row,
        )  # fmt: skip

    def _count_committed(self, next_offsets: Mapping[int, int]) -> None:
        memory, place = self._attempts.memory, self._place
        over = [at for at in self._set_aside if next_offsets.get(at[0], 0) > at[1]]
        for at in over:
            metrics.DEAD_LETTERS.labels(stage=place.stage, error=self._set_aside.pop(at).error).inc()
        if not over:
            memory.in_row = 0
            self._attempts.save()

    def _note_seen(self, records: int) -> None:
        memory = self._attempts.memory
        memory.seen += records
        if memory.seen > _SHARE_RECORDS:
            memory.seen //= 2
            memory.set_aside //= 2

    def _dead_letter(self, record: InputRecord, failure: RecordsFailed) -> OutputRecord:
        place = self._place
        passed_on: RecordHeaders = [
            (name, value if isinstance(value, bytes) else value.encode())
            for name, value in record.headers or []
            if value is not None and name not in _OWN_HEADERS
        ]
        return dead_letter(
            place.dead_letters,
            stage=place.stage,
            error=failure.error,
            reason=str(failure),
            source=header_text(record.headers, SOURCE),
            key=record.key,
            value=record.value,
            origin=(place.topic, record.partition, record.offset),
            passed_on=passed_on,
            original=record.headers,
        )
