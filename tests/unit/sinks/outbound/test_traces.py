"""Which message to a partner follows from which trace, and what an attempt tells."""

import asyncio
from collections.abc import Mapping

import pytest

from runtime.processor import InputRecord
from schemas.avro_codec import encode_key
from schemas.trace_context import TraceContext
from sinks.outbound.message import UserEntry
from sinks.outbound.traces import MessageTraces, TracedClient, traced_client
from sinks.outbound.verdict import Answer
from tests.support.outbound import key_of, row
from tests.support.traces import SENDER, KeepingTracer

URL = "https://partner.example/segments?key=word"
FIRST, SECOND = SENDER, SENDER._replace(trace_id="a" * 32)


def of_user(aam_uuid: str, offset: int = 1) -> InputRecord:
    return InputRecord(0, offset, encode_key(key_of(row("1", 1, aam_uuid=aam_uuid))), b"", None, 1)


def entry(aam_uuid: str, partner_uuid: str | None = None) -> UserEntry:
    return UserEntry(aam_uuid, partner_uuid, (), ())


class Answering:
    """A client that answers as it is told, and keeps what it was given."""

    def __init__(self, answer: Answer) -> None:
        self.sent: list[tuple[bytes, Mapping[str, str]]] = []
        self._answer = answer

    async def send(self, body: bytes, further: Mapping[str, str] | None = None) -> Answer:
        self.sent.append((body, further or {}))
        if self._answer.error == "hangs":
            await asyncio.Event().wait()
        return self._answer


def answer(status: int | None, error: str = "") -> Answer:
    return Answer(status, error, "", 1, 2)


def traces(**of_body: TraceContext) -> MessageTraces:
    """Return what is known when each user's message is rendered to the user's name."""
    made = MessageTraces()
    made.follow([(of_user(name), context) for name, context in of_body.items()])
    made.rendered([(entry(name),) for name in of_body], [name.encode() for name in of_body])
    return made


def test_message_follows_from_the_traced_users_in_it() -> None:
    known = MessageTraces()
    known.follow([(of_user("u1"), FIRST), (of_user("u2"), SECOND)])
    known.rendered([(entry("u0"), entry("u2"), entry("u1", "c1"), entry("u1", "c2")), (entry("u0"),)], [b"a", b"b"])
    assert known.contexts(b"a") == (SECOND, FIRST)
    assert known.contexts(b"b") == ()


def test_last_row_of_a_user_is_what_its_message_says() -> None:
    known = MessageTraces()
    known.follow([(of_user("u1", 1), FIRST), (of_user("u1", 2), SECOND)])
    known.rendered([(entry("u1"),)], [b"a"])
    assert known.contexts(b"a") == (SECOND,)


def test_batch_that_is_over_leaves_nothing() -> None:
    known = traces(u1=FIRST)
    known.forget()
    assert known.contexts(b"u1") == ()
    known.rendered([(entry("u1"),)], [b"u1"])
    assert known.contexts(b"u1") == ()


def test_record_that_is_no_row_is_left_to_the_dead_letters() -> None:
    known = MessageTraces()
    known.follow([(InputRecord(0, 1, b"\xff", b"", None, 1), FIRST), (of_user("u1"), SECOND)])
    known.rendered([(entry("u1"),)], [b"a"])
    assert known.contexts(b"a") == (SECOND,)


def test_client_stays_as_it_is_where_traces_are_off() -> None:
    client = Answering(answer(200))
    assert traced_client(client, None, MessageTraces(), URL, tells_partner=True) is client


@pytest.mark.parametrize("tells_partner", [False, True])
def test_attempt_is_a_span_of_which_the_partner_hears_where_it_is_said(tells_partner: bool) -> None:
    client, tracer = Answering(answer(200)), KeepingTracer()
    traced = TracedClient(client, tracer, traces(u1=FIRST), URL, tells_partner=tells_partner)
    asyncio.run(traced.send(b"u1"))
    (span,) = tracer.spans
    assert (span.name, span.kind, span.parent, span.links) == ("POST", "client", FIRST, ())
    assert span.attributes == {
        "http.request.method": "POST",
        "server.address": "partner.example",
        "server.port": 443,
        "http.response.status_code": 200,
    }
    assert tracer.ended() == [("POST", None)]
    told = {"traceparent": span.context.header().decode()} if tells_partner else {}
    assert client.sent == [(b"u1", told)]


@pytest.mark.parametrize(("status", "error"), [(503, "status-503"), (None, "timeout")])
def test_attempt_that_failed_says_so(status: int | None, error: str) -> None:
    tracer = KeepingTracer()
    traced = TracedClient(Answering(answer(status, error)), tracer, traces(u1=FIRST), URL, tells_partner=False)
    asyncio.run(traced.send(b"u1"))
    assert tracer.ended() == [("POST", error)]
    assert tracer.spans[0].attributes.get("http.response.status_code") == status


def test_message_that_is_not_traced_is_sent_without_a_word() -> None:
    client, tracer = Answering(answer(200)), KeepingTracer()
    asyncio.run(TracedClient(client, tracer, traces(u1=FIRST), URL, tells_partner=True).send(b"u2"))
    assert client.sent == [(b"u2", {})]
    assert tracer.spans == []


def test_attempt_that_is_cut_off_ends_its_span() -> None:
    tracer = KeepingTracer()

    async def cut_off() -> None:
        traced = TracedClient(Answering(answer(None, "hangs")), tracer, traces(u1=FIRST), URL, tells_partner=False)
        task = asyncio.create_task(traced.send(b"u1"))
        while not tracer.spans:  # noqa: ASYNC110 - it is so at the task's first turn
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cut_off())
    assert tracer.ended() == [("POST", "cancelled")]
