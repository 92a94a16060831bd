"""Traces around a processor, which knows nothing of them: where none are on, there is nothing around it.

A record is traced where its header `traceparent` says so, and it is not older than a day: compacted topics keep headers
for ever, and a sink that reads one from its start has nothing to add to traces of long ago.

Its span lasts from its processing until the transaction is committed, which is when others see what followed from it.
Where that is aborted the span has failed, and the record, which comes again, gets another.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from runtime.clock import Clock
from runtime.processor import Backpressure, InputRecord, OutputRecord, Processor
from runtime.tracing.attributes import processing
from runtime.tracing.tracer import Span, Tracer
from schemas.trace_context import TraceContext, carrying, context_of

ABORTED: Final = "transaction-aborted"
BACKPRESSURE: Final = "backpressure"
AGE_MAX_MS: Final = 86_400_000


class Step(NamedTuple):
    """What a service does with the records of a topic: the span is called by `operation` and `topic`."""

    operation: str
    topic: str
    group: str


class _Spans:
    """The spans of the open transaction."""

    def __init__(self, tracer: Tracer, step: Step, clock: Clock) -> None:
        self._tracer = tracer
        self._step = step
        self._clock = clock
        self._open: list[Span] = []

    def traced(self, records: Sequence[InputRecord]) -> dict[int, TraceContext]:
        """Return the contexts of the records that are traced, by their place."""
        found = ((place, context_of(record.headers)) for place, record in enumerate(records))
        sampled = {place: context for place, context in found if context is not None and context.sampled}
        if not sampled:
            return sampled
        since_ms = self._clock.now_ms() - AGE_MAX_MS
        return {place: context for place, context in sampled.items() if records[place].timestamp_ms >= since_ms}

    def begin(self, record: InputRecord, parent: TraceContext) -> Span:
        step = self._step
        attributes = processing(step.operation, step.topic, step.group, record)
        span = self._tracer.start(f"{step.operation} {step.topic}", "consumer", parent, attributes)
        self._open.append(span)
        return span

    def put_off(self, spans: Sequence[Span]) -> None:
        gone = {id(span) for span in spans}
        self._open = [span for span in self._open if id(span) not in gone]
        for span in spans:
            span.end(error=BACKPRESSURE)

    def end_all(self, error: str | None = None) -> None:
        for span in self._open:
            span.end(error=error)
        self._open.clear()


class Continued:
    """A processor whose outputs go on with the trace of the record that they follow from.

    A traced record is processed apart from those before and after it: so whatever is published is known to be its own.
    """

    def __init__(
        self, processor: Processor, tracer: Tracer, step: Step, clock: Clock, topics: Collection[str]
    ) -> None:  # fmt: skip
        """Trace `processor`; outputs to `topics` carry the header."""
        self._processor = processor
        self._spans = _Spans(tracer, step, clock)
        self._topics = frozenset(topics)

    def process(self, records: Sequence[InputRecord]) -> Iterable[OutputRecord]:
        """Process records, as `Processor` says."""
        traced = self._spans.traced(records)
        return self._in_portions(records, traced) if traced else self._processor.process(records)

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:
        """Let happen what is due; it is of no trace."""
        return self._processor.punctuate(now_ms, partitions)

    def committed(self) -> None:
        """End what is done for good."""
        self._spans.end_all()
        self._processor.committed()

    def aborted(self) -> None:
        """End what was in vain."""
        self._spans.end_all(ABORTED)
        self._processor.aborted()

    def _in_portions(self, records: Sequence[InputRecord], traced: dict[int, TraceContext]) -> Iterator[OutputRecord]:
        begin = 0
        for place, parent in traced.items():
            yield from self._portion(records, begin, place)
            begin = place + 1
            span = self._spans.begin(records[place], parent)
            try:
                for output in self._portion(records, place, begin):
                    yield self._carrying(output, span.context)
            except Backpressure:
                self._spans.put_off([span])
                raise
        yield from self._portion(records, begin, len(records))

    def _portion(self, records: Sequence[InputRecord], begin: int, end: int) -> Iterator[OutputRecord]:
        if begin == end:
            return
        try:
            yield from self._processor.process(records[begin:end])
        except Backpressure as pressure:
            raise Backpressure(pressure.wait_s, begin + pressure.processed) from pressure

    def _carrying(self, output: OutputRecord, context: TraceContext) -> OutputRecord:
        if output.topic not in self._topics:
            return output
        return msgspec.structs.replace(output, headers=carrying(output.headers, context))


class Follower(Protocol):
    """Who wants to know which records of a batch are traced, while it is processed."""

    def follow(self, traced: Sequence[tuple[InputRecord, TraceContext]]) -> None:
        """Take the traced records of a batch, each with its own span's context."""

    def forget(self) -> None:
        """Take that the batch is processed."""


class Delivered:
    """A processor at which traces end: a sink. Its batches stay whole, and each traced record of one has its span."""

    def __init__(
        self, processor: Processor, tracer: Tracer, step: Step, clock: Clock, follower: Follower | None = None
    ) -> None:  # fmt: skip
        """Trace `processor`, and tell `follower`."""
        self._processor = processor
        self._spans = _Spans(tracer, step, clock)
        self._follower = follower

    def process(self, records: Sequence[InputRecord]) -> Iterable[OutputRecord]:
        """Process records, as `Processor` says."""
        traced = self._spans.traced(records)
        return self._observed(records, traced) if traced else self._processor.process(records)

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:
        """Let happen what is due; it is of no trace."""
        return self._processor.punctuate(now_ms, partitions)

    def committed(self) -> None:
        """End what is done for good."""
        self._spans.end_all()
        self._processor.committed()

    def aborted(self) -> None:
        """End what was in vain."""
        self._spans.end_all(ABORTED)
        self._processor.aborted()

    def _observed(self, records: Sequence[InputRecord], traced: dict[int, TraceContext]) -> Iterator[OutputRecord]:
        spans = {place: self._spans.begin(records[place], parent) for place, parent in traced.items()}
        if self._follower is not None:
            self._follower.follow([(records[place], span.context) for place, span in spans.items()])
        try:
            yield from self._processor.process(records)
        except Backpressure as pressure:
            self._spans.put_off([span for place, span in spans.items() if place >= pressure.processed])
            raise
        finally:
            if self._follower is not None:
                self._follower.forget()


def continued(
    tracer: Tracer | None, processor: Processor, step: Step, clock: Clock, topics: Collection[str]
) -> Processor:  # fmt: skip
    """Return `processor` as `Continued`, or as it is where traces are off."""
    return processor if tracer is None else Continued(processor, tracer, step, clock, topics)


def delivered(
    tracer: Tracer | None, processor: Processor, step: Step, clock: Clock, follower: Follower | None = None
) -> Processor:  # fmt: skip
    """Return `processor` as `Delivered`, or as it is where traces are off."""
    return processor if tracer is None else Delivered(processor, tracer, step, clock, follower)
