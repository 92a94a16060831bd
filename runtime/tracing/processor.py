"""Traces around a processor, which knows nothing of them: where none are on, there is nothing around it.

A record is traced where its header `traceparent` says so, and it is not older than a day: compacted topics keep headers
for ever, and a sink that reads one from its start has nothing to add to traces of long ago.

Its span lasts from its processing until the transaction is committed, which is when others see what followed from it.
Where that is aborted the span has failed, and the record, which comes again, gets another.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
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


class Follower(Protocol):
    """Who wants to know which records of a batch are traced, while it is processed."""

    def follow(self, traced: Sequence[tuple[InputRecord, TraceContext]]) -> None:
        """Take the traced records of a batch, each with its own span's context."""

    def forget(self) -> None:
        """Take that the batch is processed."""


_Handle = Callable[[Processor, _Spans, Sequence[InputRecord], dict[int, TraceContext]], Iterator[OutputRecord]]


class _Traced:
    """A processor with spans around it; `handle` gives it the batches in which a record is traced."""

    def __init__(self, processor: Processor, spans: _Spans, handle: _Handle) -> None:
        self._processor = processor
        self._spans = spans
        self._handle = handle

    def process(self, records: Sequence[InputRecord]) -> Iterable[OutputRecord]:
        """Process records, as `Processor` says."""
        traced = self._spans.traced(records)
        if not traced:
            return self._processor.process(records)
        return self._handle(self._processor, self._spans, records, traced)

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


def continued(
    tracer: Tracer | None, processor: Processor, step: Step, clock: Clock, topics: Collection[str]
) -> Processor:  # fmt: skip
    """Return a processor whose outputs to `topics` go on with the trace of the record that they follow from.

    A traced record is processed apart from those before and after it: so whatever is published is known to be its own.
    Where traces are off it is `processor` as it is.
    """
    if tracer is None:
        return processor
    return _Traced(processor, _Spans(tracer, step, clock), partial(_apart, frozenset(topics)))


def delivered(
    tracer: Tracer | None, processor: Processor, step: Step, clock: Clock, follower: Follower | None = None
) -> Processor:  # fmt: skip
    """Return a processor at which traces end, a sink: batches stay whole, and each traced record of one has its span.

    `follower` hears of them. Where traces are off it is `processor` as it is.
    """
    if tracer is None:
        return processor
    return _Traced(processor, _Spans(tracer, step, clock), partial(_whole, follower))


def _apart(
    topics: Collection[str],
    processor: Processor,
    spans: _Spans,
    records: Sequence[InputRecord],
    traced: dict[int, TraceContext],
) -> Iterator[OutputRecord]:
    begin = 0
    for place, parent in traced.items():
        yield from _portion(processor, records, begin, place)
        begin = place + 1
        span = spans.begin(records[place], parent)
        try:
            for output in _portion(processor, records, place, begin):
                yield _carrying(output, span.context) if output.topic in topics else output
        except Backpressure:
            spans.put_off([span])
            raise
    yield from _portion(processor, records, begin, len(records))


def _portion(processor: Processor, records: Sequence[InputRecord], begin: int, end: int) -> Iterator[OutputRecord]:
    if begin == end:
        return
    try:
        yield from processor.process(records[begin:end])
    except Backpressure as pressure:
        raise Backpressure(pressure.wait_s, begin + pressure.processed) from pressure


def _carrying(output: OutputRecord, context: TraceContext) -> OutputRecord:
    return msgspec.structs.replace(output, headers=carrying(output.headers, context))


def _whole(
    follower: Follower | None,
    processor: Processor,
    spans: _Spans,
    records: Sequence[InputRecord],
    traced: dict[int, TraceContext],
) -> Iterator[OutputRecord]:
    begun = {place: spans.begin(records[place], parent) for place, parent in traced.items()}
    if follower is not None:
        follower.follow([(records[place], span.context) for place, span in begun.items()])
    try:
        yield from processor.process(records)
    except Backpressure as pressure:
        spans.put_off([span for place, span in begun.items() if place >= pressure.processed])
        raise
    finally:
        if follower is not None:
            follower.forget()
