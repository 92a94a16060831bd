"""Traces around a processor: what it is given, what it publishes and when spans end."""

from collections.abc import Callable, Collection, Iterable, Sequence

import pytest

from runtime.processor import Backpressure, InputRecord, OutputRecord, Processor
from runtime.tracing.processor import (
    ABORTED,
    AGE_MAX_MS,
    BACKPRESSURE,
    Step,
    continued,
    delivered,
)
from schemas.trace_context import TraceContext
from tests.support.loop import Clock
from tests.support.traces import SENDER, UNSAMPLED, KeepingTracer

STEP = Step("process", "events", "group")
NAME = "process events"


def record(offset: int, context: TraceContext | None = None) -> InputRecord:
    headers: list[tuple[str, bytes | str | None]] = [("segwire-source", b"dev")]
    if context is not None:
        headers.append(("traceparent", context.header()))
    return InputRecord(2, offset, b"person", b"%d" % offset, headers, Clock().now_ms())


class Doubling:
    """Publishes each value as a row and as something else; takes note of everything."""

    def __init__(self, act: Callable[[Sequence[InputRecord]], None] = lambda _: None) -> None:
        self.batches: list[list[int]] = []
        self.calls: list[str] = []
        self._act = act

    def process(self, records: Sequence[InputRecord]) -> Iterable[OutputRecord]:
        self.batches.append([record.offset for record in records])
        self._act(records)
        for each in records:
            yield OutputRecord("rows", each.partition, each.key, each.value, [("kept", b"1")])
            yield OutputRecord("private", each.partition, each.key, each.value)

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:  # noqa: ARG002
        return [OutputRecord("rows", 0, None, b"%d" % now_ms)]

    def committed(self) -> None:
        self.calls.append("committed")

    def aborted(self) -> None:
        self.calls.append("aborted")


def through(inner: Doubling, tracer: KeepingTracer) -> Processor:
    return continued(tracer, inner, STEP, Clock(), ["rows"])


def test_nothing_is_around_a_processor_where_traces_are_off() -> None:
    inner = Doubling()
    assert continued(None, inner, STEP, Clock(), ["rows"]) is inner
    assert delivered(None, inner, STEP, Clock()) is inner


def test_records_that_are_not_traced_stay_one_batch_and_carry_nothing() -> None:
    inner, tracer = Doubling(), KeepingTracer()
    outputs = list(through(inner, tracer).process([record(1), record(2, UNSAMPLED), record(3)]))
    assert inner.batches == [[1, 2, 3]]
    assert {tuple(output.headers or ()) for output in outputs} == {(("kept", b"1"),), ()}
    assert tracer.spans == []


@pytest.mark.parametrize(("later_ms", "spans"), [(AGE_MAX_MS, 1), (AGE_MAX_MS + 1, 0)])
def test_records_of_long_ago_add_nothing_to_their_traces(later_ms: int, spans: int) -> None:
    tracer, clock = KeepingTracer(), Clock()
    clock.at_s += later_ms / 1000
    list(delivered(tracer, Doubling(), STEP, clock).process([record(1, SENDER)]))
    assert len(tracer.spans) == spans


def test_what_follows_from_a_traced_record_carries_its_span_and_nothing_else_does() -> None:
    inner, tracer = Doubling(), KeepingTracer()
    outputs = list(through(inner, tracer).process([record(1), record(2), record(3, SENDER), record(4), record(5)]))
    assert inner.batches == [[1, 2], [3], [4, 5]]
    assert [output.value for output in outputs] == [b"%d" % each for each in (1, 1, 2, 2, 3, 3, 4, 4, 5, 5)]
    (span,) = tracer.spans
    assert (span.name, span.kind, span.parent) == (NAME, "consumer", SENDER)
    carried = [output for output in outputs if "traceparent" in dict(output.headers or [])]
    assert [(output.topic, output.value) for output in carried] == [("rows", b"3")]
    assert carried[0].headers == [("kept", b"1"), ("traceparent", span.context.header())]


def test_traced_records_side_by_side_have_a_span_each() -> None:
    inner, tracer = Doubling(), KeepingTracer()
    list(through(inner, tracer).process([record(1, SENDER), record(2, SENDER)]))
    assert inner.batches == [[1], [2]]
    assert [span.attributes["messaging.kafka.offset"] for span in tracer.spans] == [1, 2]


def test_span_describes_the_record_and_names_no_person() -> None:
    tracer = KeepingTracer()
    list(through(Doubling(), tracer).process([record(7, SENDER)]))
    assert tracer.spans[0].attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "events",
        "messaging.destination.partition.id": "2",
        "messaging.kafka.offset": 7,
        "messaging.consumer.group.name": "group",
        "messaging.message.body.size": 1,
    }


def test_span_ends_with_the_commit() -> None:
    inner, tracer = Doubling(), KeepingTracer()
    traced = through(inner, tracer)
    list(traced.process([record(1, SENDER)]))
    assert tracer.ended() == []
    traced.committed()
    traced.committed()
    assert tracer.ended() == [(NAME, None)]
    assert inner.calls == ["committed", "committed"]


def test_aborted_transaction_fails_its_spans_and_the_record_gets_another() -> None:
    inner, tracer = Doubling(), KeepingTracer()
    traced = through(inner, tracer)
    list(traced.process([record(1, SENDER)]))
    traced.aborted()
    list(traced.process([record(1, SENDER)]))
    traced.committed()
    assert tracer.ended() == [(NAME, ABORTED), (NAME, None)]
    assert inner.calls == ["aborted", "committed"]


def test_error_in_the_processor_fails_the_span_when_the_transaction_is_aborted() -> None:
    def fail(_: Sequence[InputRecord]) -> None:
        raise ValueError("broken")

    tracer = KeepingTracer()
    traced = through(Doubling(fail), tracer)
    with pytest.raises(ValueError, match="broken"):
        list(traced.process([record(1, SENDER)]))
    traced.aborted()
    assert tracer.ended() == [(NAME, ABORTED)]


def test_timers_are_of_no_trace() -> None:
    tracer = KeepingTracer()
    outputs = through(Doubling(), tracer).punctuate(5, [0])
    assert [(output.value, output.headers) for output in outputs] == [(b"5", None)]
    assert tracer.spans == []


def waits_at(offset: int) -> Callable[[Sequence[InputRecord]], None]:
    def act(records: Sequence[InputRecord]) -> None:
        offsets = [record.offset for record in records]
        if offset in offsets:
            raise Backpressure(1.5, offsets.index(offset))

    return act


@pytest.mark.parametrize(("offset", "error"), [(3, BACKPRESSURE), (5, None)])
def test_backpressure_counts_what_is_done_over_all_portions(offset: int, error: str | None) -> None:
    tracer = KeepingTracer()
    traced = through(Doubling(waits_at(offset)), tracer)
    with pytest.raises(Backpressure) as raised:
        list(traced.process([record(1), record(2), record(3, SENDER), record(4), record(5)]))
    assert (raised.value.wait_s, raised.value.processed) == (1.5, offset - 1)
    traced.committed()
    assert tracer.ended() == [(NAME, error)]


def test_batches_of_a_sink_stay_whole() -> None:
    inner, tracer = Doubling(), KeepingTracer()
    outputs = list(
        delivered(tracer, inner, STEP, Clock()).process([record(1), record(2, SENDER), record(3, UNSAMPLED)])
    )
    assert inner.batches == [[1, 2, 3]]
    assert not any("traceparent" in dict(output.headers or []) for output in outputs)
    assert [(span.parent, span.attributes["messaging.kafka.offset"]) for span in tracer.spans] == [(SENDER, 2)]


def test_sink_that_waits_fails_the_spans_of_what_comes_again() -> None:
    tracer = KeepingTracer()
    traced = delivered(tracer, Doubling(waits_at(2)), STEP, Clock())
    with pytest.raises(Backpressure):
        list(traced.process([record(1, SENDER), record(2, SENDER), record(3, SENDER)]))
    assert tracer.ended() == [(NAME, BACKPRESSURE), (NAME, BACKPRESSURE)]
    traced.committed()
    assert [span.error for span in tracer.spans] == [None, BACKPRESSURE, BACKPRESSURE]


class Following:
    def __init__(self) -> None:
        self.heard: list[list[tuple[int, TraceContext]]] = []
        self.forgotten = 0

    def follow(self, traced: Sequence[tuple[InputRecord, TraceContext]]) -> None:
        self.heard.append([(record.offset, context) for record, context in traced])

    def forget(self) -> None:
        self.forgotten += 1


@pytest.mark.parametrize("waits", [False, True])
def test_follower_hears_of_traced_records_while_they_are_processed(waits: bool) -> None:
    tracer, following = KeepingTracer(), Following()
    seen: list[int] = []

    def act(_: Sequence[InputRecord]) -> None:
        seen.append(following.forgotten)
        if waits:
            raise Backpressure(1)

    traced = delivered(tracer, Doubling(act), STEP, Clock(), following)
    try:
        list(traced.process([record(1), record(2, SENDER)]))
    except Backpressure:
        assert waits
    assert following.heard == [[(2, tracer.spans[0].context)]]
    assert (seen, following.forgotten) == ([0], 1)


def test_follower_is_left_alone_by_batches_that_are_not_traced() -> None:
    following = Following()
    list(delivered(KeepingTracer(), Doubling(), STEP, Clock(), following).process([record(1)]))
    assert (following.heard, following.forgotten) == ([], 0)
