"""Spans of the SDK, without any collector."""

import threading
from collections.abc import Iterator, Sequence

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from runtime.metrics import TRACE_SPANS
from runtime.tracing.otlp import OtlpTracer, ReportingExporter
from schemas.trace_context import parse_traceparent
from tests.support.traces import SENDER

LIMIT_S = 30.0


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Iterator[OtlpTracer]:
    made = OtlpTracer("fan-out", SimpleSpanProcessor(exporter))
    yield made
    made.close()


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def test_span_is_below_its_parent_and_says_so_to_the_next(tracer: OtlpTracer, exporter: InMemorySpanExporter) -> None:
    begun = tracer.start("process a", "consumer", SENDER, {"a": 1, "b": "c"})
    begun.end({"d": 2})
    span = only(exporter)
    assert span.parent is not None
    assert trace.format_span_id(span.parent.span_id) == SENDER.span_id
    assert begun.context.trace_id == SENDER.trace_id
    assert begun.context.span_id not in {SENDER.span_id, "0" * 16}
    assert begun.context.sampled
    assert parse_traceparent(begun.context.header()) == begun.context
    assert (span.name, span.kind, span.attributes) == ("process a", SpanKind.CONSUMER, {"a": 1, "b": "c", "d": 2})
    assert span.status.status_code is StatusCode.UNSET


def test_span_without_a_parent_begins_a_trace(tracer: OtlpTracer, exporter: InMemorySpanExporter) -> None:
    first, second = (tracer.start("POST", "server", None, {}) for _ in range(2))
    assert first.context.trace_id != second.context.trace_id
    assert first.context.sampled
    first.end()
    assert only(exporter).parent is None


def test_what_a_library_has_begun_is_no_parent(tracer: OtlpTracer, exporter: InMemorySpanExporter) -> None:
    other = trace.NonRecordingSpan(trace.SpanContext(1, 2, True, trace.TraceFlags(1)))
    with trace.use_span(other):
        tracer.start("POST", "server", None, {}).end()
    assert only(exporter).parent is None


def test_failed_span_says_by_what(tracer: OtlpTracer, exporter: InMemorySpanExporter) -> None:
    tracer.start("POST", "client", SENDER, {}).end(error="timeout")
    span = only(exporter)
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes == {"error.type": "timeout"}


def test_links_lead_to_the_others(tracer: OtlpTracer, exporter: InMemorySpanExporter) -> None:
    tracer.start("POST", "client", SENDER, {}, [SENDER._replace(span_id="b" * 16)]).end()
    assert [trace.format_span_id(link.context.span_id) for link in only(exporter).links] == ["b" * 16]


def test_service_is_named(tracer: OtlpTracer, exporter: InMemorySpanExporter) -> None:
    tracer.start("POST", "client", SENDER, {}).end()
    assert only(exporter).resource.attributes["service.name"] == "segwire-fan-out"


def test_the_end_does_not_wait_for_a_collector_that_hangs() -> None:
    hanging, released = threading.Event(), threading.Event()

    class Hanging(SpanProcessor):
        def shutdown(self) -> None:
            hanging.set()
            released.wait(LIMIT_S)

    tracer = OtlpTracer("fan-out", Hanging())
    tracer.close(timeout_s=0.01)
    assert hanging.wait(LIMIT_S)
    released.set()


class Failing(SpanExporter):
    """Takes spans, or not, as it is told."""

    def __init__(self) -> None:
        self.result = SpanExportResult.FAILURE
        self.is_shut = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002
        return self.result

    def shutdown(self) -> None:
        self.is_shut = True


def counted(result: str) -> float:
    return float(TRACE_SPANS.labels(result=result)._value.get())


def test_outage_of_the_collector_is_logged_once_and_every_span_counted() -> None:
    failing = Failing()
    lost, taken = counted("lost"), counted("taken")
    with structlog.testing.capture_logs() as logs:
        reporting = ReportingExporter(failing, "fan-out")
        tracer = OtlpTracer("fan-out", SimpleSpanProcessor(reporting))
        for result in (SpanExportResult.FAILURE, SpanExportResult.FAILURE, *[SpanExportResult.SUCCESS] * 3):
            failing.result = result
            tracer.start("POST", "server", None, {}).end()
        tracer.close()
    assert [(line["event"], line["service"]) for line in logs] == [
        ("traces_not_taken", "fan-out"), ("traces_taken_again", "fan-out"),
    ]  # fmt: skip
    assert (counted("lost") - lost, counted("taken") - taken) == (2, 3)
    assert failing.is_shut
