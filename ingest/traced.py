"""Traces of messages: a span for the request, one for its way into a store, whose context the record carries.

It stands between who publishes and the publisher, and only where traces are on. Only authentic messages come here, so
nobody else can have a trace begun.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from ingest.admission import Verdict
from ingest.client import Record
from ingest.hot_path import PREFIX
from ingest.publisher import Publisher, Verdicts, Waiter
from runtime.tracing.attributes import METHOD, REQUEST_ID, ROUTE, SOURCE, STATUS_CODE, URL_PATH, sending
from runtime.tracing.tracer import Span, Tracer
from schemas import headers as record_headers
from schemas.headers import header_text
from schemas.topics import TopicNames
from schemas.trace_context import TraceContext, carrying, context_of

_ROUTE: Final = PREFIX + "{source}"
_FAILED: Final = {Verdict.NO_DURABLE_STORE: (503, "no-durable-store"), Verdict.TOO_LARGE: (413, "too-large")}


class TracedPublisher:
    """A publisher that traces a share of the messages.

    The sender's own trace goes on, and its word on sampling counts; of the messages without one a share begins a trace.
    What is not traced passes as it came.
    """

    def __init__(
        self, publisher: Publisher, tracer: Tracer, topics: TopicNames, ratio: float, chance: Callable[[], float]
    ) -> None:
        """Publish with `publisher`; trace where `chance`, from 0 to below 1, is below `ratio`."""
        self._publisher = publisher
        self._tracer = tracer
        self._topics = topics
        self._ratio = ratio
        self._chance = chance

    def publish(self, record: Record) -> Verdicts:
        """Store a record, as `Publisher` says."""
        future: Verdicts = asyncio.get_running_loop().create_future()
        self.submit(record, future)
        return future

    def submit(self, record: Record, waiter: Waiter) -> None:
        """Store a record, as `Publisher` says."""
        parent = context_of(record.headers)
        sampled = self._chance() < self._ratio if parent is None else parent.sampled
        if not sampled:
            self._publisher.submit(record, waiter)
            return
        request = self._request(record, parent)
        attributes = sending(record.topic, len(record.value))
        sent = self._tracer.start(f"publish {record.topic}", "producer", request.context, attributes)
        status = 400 if record.topic == self._topics.dead_letters else 200
        self._publisher.submit(
            Record(record.topic, record.value, carrying(record.headers, sent.context)),
            _Traced(waiter, request, sent, status),
        )

    def _request(self, record: Record, parent: TraceContext | None) -> Span:
        source = header_text(record.headers, record_headers.SOURCE) or ""  # type: ignore[arg-type] # only read
        attributes = {
            METHOD: "POST",
            ROUTE: _ROUTE,
            URL_PATH: PREFIX + source,
            SOURCE: source,
            REQUEST_ID: header_text(record.headers, record_headers.REQUEST_ID) or "",  # type: ignore[arg-type]
        }
        return self._tracer.start(f"POST {_ROUTE}", "server", parent, attributes)


class _Traced:
    """Tells who waits, then ends the spans."""

    __slots__ = ("_request", "_sent", "_status", "_waiter")

    def __init__(self, waiter: Waiter, request: Span, sent: Span, status: int) -> None:
        """Answer `waiter`; `status` is what the sender is told where the record is stored."""
        self._waiter = waiter
        self._request = request
        self._sent = sent
        self._status = status

    def done(self) -> bool:
        """Tell whether a verdict is not wanted any more."""
        return self._waiter.done()

    def set_result(self, verdict: Verdict, /) -> None:
        """Take the verdict."""
        self._waiter.set_result(verdict)
        status, error = _FAILED.get(verdict, (self._status, None))
        self._sent.end(error=error)
        self._request.end({STATUS_CODE: status}, error if status >= 500 else None)
