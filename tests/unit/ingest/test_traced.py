"""Which messages are traced, what their records carry, and when the spans end."""

import asyncio

import pytest

from ingest.admission import Verdict
from ingest.client import Record
from ingest.publisher import Verdicts, Waiter
from ingest.traced import TracedPublisher
from schemas.headers import Headers
from schemas.topics import TopicNames
from schemas.trace_context import TraceContext
from tests.support.traces import SENDER, UNSAMPLED, KeepingTracer

TOPICS = TopicNames("eu-")
REQUEST = "POST /v1/aam/{source}"
SEND = "publish eu-aam-posts"


class Waiting:
    """Who waits for a verdict."""

    def __init__(self) -> None:
        self.verdict: Verdict | None = None

    def done(self) -> bool:
        return self.verdict is not None

    def set_result(self, verdict: Verdict, /) -> None:
        self.verdict = verdict


class Holding:
    """A publisher that answers nobody by itself."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.waiters: list[Waiter] = []

    def publish(self, record: Record) -> Verdicts:  # noqa: ARG002
        raise AssertionError("the traced publisher submits")

    def submit(self, record: Record, waiter: Waiter) -> None:
        self.records.append(record)
        self.waiters.append(waiter)


class Stage:
    def __init__(self, ratio: float = 0.0, chance: float = 0.5) -> None:
        self.tracer, self.inner, self.waiting = KeepingTracer(), Holding(), Waiting()
        self.publisher = TracedPublisher(self.inner, self.tracer, TOPICS, ratio, lambda: chance)

    def submit(self, context: TraceContext | None, topic: str = "eu-aam-posts") -> Record:
        record = record_of(context, topic)
        self.publisher.submit(record, self.waiting)
        return record


def record_of(context: TraceContext | None, topic: str = "eu-aam-posts") -> Record:
    headers: Headers = [("segwire-source", b"adobe"), ("segwire-request-id", b"r-1")]
    if context is not None:
        headers.append(("traceparent", context.header()))
    return Record(topic, b"body", headers)


@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_message_that_is_not_chosen_passes_as_it_came(ratio: float) -> None:
    stage = Stage(ratio)
    record = stage.submit(None)
    assert stage.inner.records == [record]
    assert stage.inner.records[0] is record
    assert stage.inner.waiters == [stage.waiting]
    assert stage.tracer.spans == []


def test_sender_who_decided_against_it_is_not_traced_and_its_context_goes_on() -> None:
    stage = Stage(1.0)
    record = stage.submit(UNSAMPLED)
    assert stage.inner.records[0] is record
    assert stage.tracer.spans == []


def test_chosen_message_begins_a_trace() -> None:
    stage = Stage(0.51)
    stage.submit(None)
    request, sent = stage.tracer.spans
    assert (request.name, request.kind, request.parent) == (REQUEST, "server", None)
    assert (sent.name, sent.kind, sent.parent) == (SEND, "producer", request.context)


def test_record_of_a_traced_message_carries_the_sending_span_in_the_place_of_the_senders() -> None:
    stage = Stage()
    stage.submit(SENDER)
    request, sent = stage.tracer.spans
    assert request.parent == SENDER
    assert stage.inner.records == [record_of(sent.context)]
    assert sent.context.trace_id == SENDER.trace_id


def test_spans_end_when_the_sender_is_answered() -> None:
    stage = Stage()
    stage.submit(SENDER)
    assert stage.tracer.ended() == []
    assert not stage.inner.waiters[0].done()
    stage.inner.waiters[0].set_result(Verdict.DURABLE)
    assert stage.waiting.verdict is Verdict.DURABLE
    assert stage.inner.waiters[0].done()
    assert stage.tracer.ended() == [(REQUEST, None), (SEND, None)]
    assert stage.tracer.spans[0].attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/aam/{source}",
        "url.path": "/v1/aam/adobe",
        "segwire.source": "adobe",
        "segwire.request_id": "r-1",
        "http.response.status_code": 200,
    }


@pytest.mark.parametrize(
    ("verdict", "status", "of_request", "of_sending"),
    [
        (Verdict.NO_DURABLE_STORE, 503, "no-durable-store", "no-durable-store"),
        # The sender's error, not the endpoint's.
        (Verdict.TOO_LARGE, 413, None, "too-large"),
    ],
)
def test_message_that_no_store_takes_fails(
    verdict: Verdict, status: int, of_request: str | None, of_sending: str
) -> None:
    stage = Stage()
    stage.submit(SENDER)
    stage.inner.waiters[0].set_result(verdict)
    assert stage.tracer.ended() == [(REQUEST, of_request), (SEND, of_sending)]
    assert stage.tracer.spans[0].attributes["http.response.status_code"] == status


def test_message_that_is_set_aside_is_answered_400() -> None:
    stage = Stage()
    stage.submit(SENDER, "eu-dead-letters")
    stage.inner.waiters[0].set_result(Verdict.DURABLE)
    assert stage.tracer.ended() == [(REQUEST, None), ("publish eu-dead-letters", None)]
    assert stage.tracer.spans[0].attributes["http.response.status_code"] == 400


def test_application_waits_for_the_same_verdict() -> None:
    async def run() -> None:
        stage = Stage()
        verdicts = stage.publisher.publish(record_of(SENDER))
        stage.inner.waiters[0].set_result(Verdict.DURABLE)
        assert await verdicts is Verdict.DURABLE
        assert len(stage.tracer.ended()) == 2

    asyncio.run(run())
