"""Spans of the OpenTelemetry SDK, sent to a collector over OTLP/HTTP by a thread of the SDK's own.

The only module that imports OpenTelemetry; it is imported where traces are on. Source: ADR 18.
"""

import logging
import os
import socket
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from runtime.metrics import TRACE_SPANS
from runtime.tracing.attributes import ERROR_TYPE, SCHEMA_URL
from runtime.tracing.tracer import Attributes, Kind, Span
from schemas.trace_context import TraceContext

# Spans are dropped, not waited for, where the collector takes fewer.
_QUEUE_SPANS: Final = 16_384
_BATCH_SPANS: Final = 512
_DELAY_MS: Final = 1_000
_EXPORT_S: Final = 5.0
_CLOSE_S: Final = 2.0
_HEXADECIMAL: Final = 16

_log = structlog.get_logger()

_KINDS: Final[dict[Kind, SpanKind]] = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class OtlpSpan:
    """A span of the SDK."""

    __slots__ = ("_span", "context")

    def __init__(self, span: trace.Span) -> None:
        """Wrap a span that has begun."""
        self._span = span
        found = span.get_span_context()
        self.context = TraceContext(
            trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id), int(found.trace_flags)
        )

    def end(self, attributes: Attributes | None = None, error: str | None = None) -> None:
        """End it, as `Span` says."""
        if attributes:
            self._span.set_attributes(dict(attributes))
        if error is not None:
            self._span.set_attribute(ERROR_TYPE, error)
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()


class OtlpTracer:
    """Begins spans of one service. Which messages are traced is decided before: all that begins is recorded."""

    def __init__(self, service: str, processor: SpanProcessor) -> None:
        """Hand ended spans to `processor`; `service` is what they are of."""
        resource = Resource.create(
            {
                "service.name": f"segwire-{service}",
                "service.version": version("segwire"),
                "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
                "host.name": socket.gethostname(),
            }
        )
        self._provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("segwire", version("segwire"), SCHEMA_URL)

    def start(
        self, name: str, kind: Kind, parent: TraceContext | None, attributes: Attributes,
        links: Sequence[TraceContext] = (),
    ) -> Span:  # fmt: skip
        """Begin a span, as `Tracer` says."""
        span = self._tracer.start_span(
            name, _around(parent), _KINDS[kind], dict(attributes), [Link(_remote(context)) for context in links]
        )
        return OtlpSpan(span)

    def close(self, timeout_s: float = _CLOSE_S) -> None:
        """Send what is left; give up after `timeout_s`, as no service ends late for a collector that is away."""
        ending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        ending.start()
        ending.join(timeout_s)


class ReportingExporter(SpanExporter):
    """Counts what became of spans, and logs where an outage of the collector begins and where it ends."""

    def __init__(self, exporter: SpanExporter, service: str) -> None:
        """Send with `exporter`."""
        self._exporter = exporter
        # The thread that exports is the SDK's, and knows nothing of the service.
        self._log = _log.bind(service=service)
        self._is_out = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; blocks for some seconds at most."""
        result = self._exporter.export(spans)
        is_out = result is not SpanExportResult.SUCCESS
        TRACE_SPANS.labels(result="lost" if is_out else "taken").inc(len(spans))
        if is_out and not self._is_out:
            self._log.warning("traces_not_taken", spans=len(spans), remedy="see traces.endpoint, and the collector")
        elif self._is_out and not is_out:
            self._log.info("traces_taken_again")
        self._is_out = is_out
        return result

    def shutdown(self) -> None:
        """Send nothing more."""
        self._exporter.shutdown()


def otlp_tracer(service: str, url: str, ca_file: str | None) -> OtlpTracer:
    """Return a tracer that sends to the collector at `url`, which need not be there. Close it in the end."""
    # It tells of each attempt; the report below tells of each outage.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    exporter = OTLPSpanExporter(url, ca_file, timeout=_EXPORT_S, compression=Compression.Gzip)
    return OtlpTracer(
        service,
        BatchSpanProcessor(
            ReportingExporter(exporter, service),
            max_queue_size=_QUEUE_SPANS,
            schedule_delay_millis=_DELAY_MS,
            max_export_batch_size=_BATCH_SPANS,
        ),
    )


def _around(parent: TraceContext | None) -> Context:
    # An empty context, not None: whatever a library has made the current span is no parent of ours.
    empty = Context()
    return empty if parent is None else trace.set_span_in_context(NonRecordingSpan(_remote(parent)), empty)


def _remote(context: TraceContext) -> SpanContext:
    return SpanContext(
        int(context.trace_id, _HEXADECIMAL), int(context.span_id, _HEXADECIMAL), True, TraceFlags(context.flags)
    )
