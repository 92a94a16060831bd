"""Nobody can tell the direct way from the ASGI application: same answers, records, metrics, log lines."""

import asyncio
import gzip
import re
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ingest.admission import Verdict
from ingest.authentication.signatures import SignedRequests, SigningKey, sign
from ingest.client import Record
from ingest.direct import DirectConnection, DirectRoute
from ingest.hot_path import PREFIX, HotPath
from ingest.limits import Limits, Waiting
from ingest.publisher import Waiter
from ingest.recording import Source
from ingest.request import RequestIds
from ingest.routes import Dispatcher
from runtime.secrets import Secret
from schemas.topics import TopicNames
from tests.support.conversation import Application, Conversation, statuses
from tests.support.posts import body, user
from tests.support.producer import HandClock

KEY = b"a key of the sender's and ours"
GOOD = body(user())
PACKED = gzip.compress(GOOD, mtime=0)
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Stored:
    """A publisher with one verdict, told when it is released; counts the ways it is asked."""

    def __init__(self, verdict: Verdict) -> None:
        self.records: list[Record] = []
        self.direct = 0
        self.released = asyncio.Event()
        self.released.set()
        self.verdict = verdict
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(self, record: Record) -> Verdict:
        self.records.append(record)
        await self.released.wait()
        return self.verdict

    def submit(self, record: Record, waiter: Waiter) -> None:
        async def tell() -> None:
            waiter.set_result(await self.publish(record))

        self.direct += 1
        task = asyncio.ensure_future(tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Seen(msgspec.Struct):
    """All that one way showed."""

    answers: bytes
    records: list[Record]
    metrics: dict[str, float]
    logs: list[Any]
    closed: bool
    direct: int


def request(
    payload: bytes = GOOD,
    *more: bytes,
    method: bytes = b"POST",
    path: bytes = b"/v1/aam/dev",
    version: bytes = b"1.1",
    length: int | None = None,
    signature: bytes | None = None,
    content_type: bytes = b"application/json",
) -> bytes:
    lines = [
        method + b" " + path + b" HTTP/" + version,
        b"Host: x",
        b"Content-Type: " + content_type,
        b"X-Signature: " + (signature or sign(KEY, "sha1", payload)),
        b"Content-Length: %d" % (len(payload) if length is None else length),
        *more,
    ]
    return b"\r\n".join([*lines, b"", payload])


CHUNKED = (
    b"POST /v1/aam/dev HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    b"X-Signature: " + sign(KEY, "sha1", GOOD) + b"\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD)
)
DIRECT = {
    "a message": request(),
    "a message with a name and a trace": request(GOOD, b"X-Request-Id: abc-1", b"traceparent: " + TRACE),
    "a name that is none": request(GOOD, b"X-Request-Id: a b"),
    "a packed message": request(PACKED, b"Content-Encoding: gzip"),
    "a message that keeps alive": request(GOOD, b"Connection: keep-alive"),
    "a charset": request(content_type=b"application/json; charset=utf-8"),
    "a bad user": request(b'{"Users":[{"AAM_UUID":null},7]}'),
    "a large message": request(GOOD + b" " * 90_000),
    "several, one after the other": request() + b"\r\n" + request(),
    "headers twice": request(GOOD, b"X-Other: 1", b"X-Other: 2"),
    "an offer of another protocol": request(GOOD, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"),
}
OTHERWISE = {
    "a chunked message": CHUNKED,
    "the last message": request(GOOD, b"Connection: close"),
    "HTTP/1.0": request(version=b"1.0"),
    "HTTP/1.0 that keeps alive": request(GOOD, b"Connection: keep-alive", version=b"1.0"),
    "a question first": request(GOOD, b"Expect: 100-continue"),
    "another question": request(GOOD, b"Expect: a miracle"),
    "a wrong signature": request(signature=sign(KEY, "sha1", b"other")),
    "a signature that is none": request(signature=b"none"),
    "not JSON": request(b"{"),
    "not a message": request(b'{"Users":{}}'),
    "an empty body": request(b""),
    "no length": request().replace(b"Content-Length: %d\r\n" % len(GOOD), b""),
    "not packed": request(GOOD, b"Content-Encoding: gzip"),
    "packed too well": request(gzip.compress(b" " * 200_000), b"Content-Encoding: gzip"),
    "an unknown coding": request(GOOD, b"Content-Encoding: br"),
    "another media type": request(content_type=b"text/xml"),
    "too large": request(GOOD, length=200_000),
    "an unknown source": request(path=b"/v1/aam/nobody"),
    "no source": request(path=b"/v1/aam/"),
    "a question mark": request(path=b"/v1/aam/dev?a=b"),
    "percent": request(path=b"/v1/aam/%64ev"),
    "a whole URL": request(path=b"http://x/v1/aam/dev"),
    **{method.decode(): request(b"", method=method) for method in (b"GET", b"HEAD", b"PUT", b"OPTIONS", b"DELETE")},
    "garbage behind": request() + b"garbage\r\n\r\n",
    "an offer and a message": request(GOOD, b"Connection: Upgrade", b"Upgrade: websocket"),
}


async def seen_of(
    sent: bytes, verdict: Verdict, *, direct: bool, piece_bytes: int = 1 << 20, first: bytes | None = None
) -> Seen:
    clock, ids, stored = HandClock(), RequestIds(), Stored(Verdict.DURABLE)
    signatures = SignedRequests("X-Signature", "sha1", [SigningKey(Secret("a test", KEY))], clock)
    hot_path = HotPath({"dev": Source("dev", 100_000, signatures)}, stored, TopicNames("t."), clock, ids)
    route = DirectRoute(hot_path, stored, clock, ids) if direct else None
    conversation = Conversation(Dispatcher(PREFIX, hot_path, Application(), ids), Limits(), route=route)
    if first is not None:
        assert statuses(await conversation.say(first)) == [200]
        conversation.transport.written = b""
    stored.verdict = verdict
    before = metrics()
    with capture_logs() as logs:
        answers = await conversation.say(*(sent[at : at + piece_bytes] for at in range(0, len(sent), piece_bytes)))
    after = metrics()
    conversation.connection.connection_lost(None)
    changed = {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}
    names = {name.encode(): b"ID-%d" % number for number, name in enumerate(named(stored.records, answers))}
    return Seen(
        masked(answers, names), [masked_record(record, names) for record in stored.records], changed,
        [{k: masked(v.encode(), names) if isinstance(v, str) else v for k, v in line.items()} for line in logs],
        conversation.transport.closed or conversation.transport.half_closed, stored.direct,
    )  # fmt: skip


def named(records: list[Record], answers: bytes) -> list[str]:
    """Return the names of requests that the endpoint made, in order."""
    found = re.findall(rb"x-request-id: (\S+)", answers)
    found += [dict(record.headers)["segwire-request-id"] for record in records]
    return [name.decode() for name in dict.fromkeys(found) if re.fullmatch(rb"[0-9a-f]{12}-[0-9a-f]+", name)]


def masked(text: bytes, names: dict[bytes, bytes]) -> bytes:
    text = re.sub(rb'("request_id":")([0-9a-f]{12}-[0-9a-f]+)', rb"\1ID", text)
    text = re.sub(rb"content-length: \d{3}", b"content-length: NNN", text)
    for name, number in names.items():
        text = text.replace(name, number)
    return text


def masked_record(record: Record, names: dict[bytes, bytes]) -> Record:
    return Record(record.topic, record.value, [(name, names.get(value, value)) for name, value in record.headers])


def metrics() -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in REGISTRY.collect()
        if family.name.startswith(("segwire_ingest_answer", "segwire_ingest_body", "segwire_ingest_dis",
                                   "segwire_ingest_loss", "segwire_dead"))
        for sample in family.samples
        if not sample.name.endswith("_created")
    }  # fmt: skip


@pytest.mark.parametrize("first", [None, request()], ids=["first", "second"])
@pytest.mark.parametrize("verdict", list(Verdict), ids=lambda verdict: str(verdict.name))
@pytest.mark.parametrize("sent", [*DIRECT.values(), *OTHERWISE.values()], ids=[*DIRECT, *OTHERWISE])
def test_both_ways_are_the_same_from_outside(sent: bytes, verdict: Verdict, first: bytes | None) -> None:
    async def scenario() -> None:
        asgi = await seen_of(sent, verdict, direct=False, first=first)
        direct = await seen_of(sent, verdict, direct=True, first=first)
        assert asgi.direct == 0
        direct.direct = 0
        assert direct == asgi

    asyncio.run(scenario())


@pytest.mark.parametrize("sent", DIRECT.values(), ids=DIRECT.keys())
@pytest.mark.parametrize("piece_bytes", [1 << 20, 1000, 7])
def test_plain_messages_go_the_direct_way(sent: bytes, piece_bytes: int) -> None:
    async def scenario() -> None:
        seen = await seen_of(sent, Verdict.DURABLE, direct=True, piece_bytes=piece_bytes)
        assert set(statuses(seen.answers)) == {200}
        assert seen.direct >= 1
        assert len(seen.records) == sent.count(b"POST /v1")

    asyncio.run(scenario())


NO_PARSER: dict[str, bytes] = {
    name: DIRECT[name]
    for name in (
        "a message",
        "a message with a name and a trace",
        "a packed message",
        "a bad user",
        "a message that keeps alive",
    )
}


@pytest.mark.parametrize("sent", NO_PARSER.values(), ids=NO_PARSER.keys())
def test_a_message_that_looks_like_the_last_needs_no_parser(sent: bytes) -> None:
    async def scenario() -> None:
        stored = Stored(Verdict.DURABLE)
        conversation = conversation_with(stored)
        await conversation.say(sent)
        conversation.protocol.parser = None  # type: ignore[assignment]
        await conversation.say(sent)
        assert statuses(await conversation.say(sent)) == [200] * 3
        assert [record.value for record in stored.records] == [stored.records[0].value] * 3
        conversation.connection.connection_lost(None)

    asyncio.run(scenario())


def test_a_message_that_is_not_authentic_makes_no_shape() -> None:
    async def scenario() -> None:
        conversation = conversation_with(Stored(Verdict.DURABLE))
        assert isinstance(conversation.connection, DirectConnection)
        forged = request(signature=sign(KEY, "sha1", b"other"))
        await conversation.say(forged)
        await conversation.say(forged)
        assert conversation.connection._shape is None
        conversation.connection.connection_lost(None)

    asyncio.run(scenario())


def test_messages_that_come_in_pieces_after_whole_ones_are_read_by_the_parser() -> None:
    async def scenario() -> None:
        stored = Stored(Verdict.DURABLE)
        conversation = conversation_with(stored)
        whole = request()
        for parts in ([whole], [whole], [whole[:90], whole[90:]], [whole], [whole + whole[:50], whole[50:]], [whole]):
            for part in parts:
                await conversation.say(part)
        assert statuses(await conversation.heard()) == [200] * 7
        conversation.connection.connection_lost(None)

    asyncio.run(scenario())


@pytest.mark.parametrize("verdict", list(Verdict), ids=lambda verdict: str(verdict.name))
def test_answers_keep_the_order_of_requests(verdict: Verdict) -> None:
    async def scenario() -> None:
        numbered = [request(GOOD, b"X-Request-Id: n-%d" % number) for number in range(6)]
        numbered[2] = request(b"", b"X-Request-Id: n-2", method=b"GET")
        numbered[4] = request(b"{", b"X-Request-Id: n-4")
        seen = await seen_of(b"".join(numbered), verdict, direct=True)
        assert re.findall(rb"x-request-id: n-(\d)", seen.answers) == [b"%d" % number for number in range(6)]
        assert seen.direct == 1

    asyncio.run(scenario())


def conversation_with(stored: Stored) -> Conversation:
    clock, ids = HandClock(), RequestIds()
    signatures = SignedRequests("X-Signature", "sha1", [SigningKey(Secret("a test", KEY))], clock)
    hot_path = HotPath({"dev": Source("dev", 100_000, signatures)}, stored, TopicNames("t."), clock, ids)
    return Conversation(Dispatcher(PREFIX, hot_path, Application(), ids), Limits(), route=DirectRoute(
        hot_path, stored, clock, ids))  # fmt: skip


def test_200_is_said_only_after_the_publisher_said_durable() -> None:
    async def scenario() -> None:
        stored = Stored(Verdict.DURABLE)
        stored.released.clear()
        conversation = conversation_with(stored)
        assert await conversation.say(request()) == b""
        stored.released.set()
        assert statuses(await conversation.heard()) == [200]
        conversation.connection.connection_lost(None)

    asyncio.run(scenario())


@pytest.mark.parametrize("verdict", list(Verdict), ids=lambda verdict: str(verdict.name))
def test_a_sender_that_goes_away_before_its_answer_disturbs_nobody(verdict: Verdict) -> None:
    async def scenario() -> None:
        stored = Stored(verdict)
        stored.released.clear()
        conversation = conversation_with(stored)
        await conversation.say(request())
        before = metrics()
        conversation.transport.closed = True
        conversation.connection.connection_lost(None)
        stored.released.set()
        assert await conversation.heard() == b""
        changed = {name for name, value in metrics().items() if value != before.get(name, 0.0)}
        assert any(name.startswith("segwire_ingest_answers_total") for name in changed)
        assert not any("disconnects" in name for name in changed)

    asyncio.run(scenario())


def test_a_sender_that_goes_away_within_its_body_is_counted_once() -> None:
    async def scenario() -> None:
        stored = Stored(Verdict.DURABLE)
        conversation = conversation_with(stored)
        before = REGISTRY.get_sample_value("segwire_ingest_disconnects_total", {"source": "dev"}) or 0.0
        await conversation.say(request()[:-1])
        conversation.connection.connection_lost(None)
        assert REGISTRY.get_sample_value("segwire_ingest_disconnects_total", {"source": "dev"}) == before + 1
        assert stored.records == []

    asyncio.run(scenario())


def test_who_does_not_read_answers_is_served_by_the_application_that_waits() -> None:
    async def scenario() -> None:
        stored = Stored(Verdict.DURABLE)
        conversation = conversation_with(stored)
        for number in range(2):
            conversation.connection.pause_writing()
            answered = await conversation.heard()
            assert await conversation.say(request()) == answered
            assert stored.direct == number
            conversation.connection.resume_writing()
            await conversation.heard()
            assert statuses(await conversation.say(request())) == [200] * 2 * (number + 1)
        conversation.connection.connection_lost(None)

    asyncio.run(scenario())


def test_a_publisher_that_fails_is_asked_again_by_the_application_and_the_failure_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        stored = Stored(Verdict.DURABLE)
        tried: list[str] = []

        def fail(*_: object) -> None:
            tried.append("")
            raise RuntimeError("a bug")

        monkeypatch.setattr(stored, "submit", fail)
        monkeypatch.setattr(stored, "publish", fail)
        conversation = conversation_with(stored)
        with capture_logs() as logs:
            answers = await conversation.say(request() + request())
        assert statuses(answers) == [500, 500]
        assert len(tried) == 3
        assert [line["event"] for line in logs] == ["request_failed"] * 2
        conversation.connection.connection_lost(None)

    asyncio.run(scenario())


def test_an_idle_connection_keeps_no_message() -> None:
    async def scenario() -> None:
        conversation = conversation_with(Stored(Verdict.DURABLE))
        assert statuses(await conversation.say(request())) == [200]
        assert conversation.protocol.cycle.body == b""
        conversation.connection.connection_lost(None)

    asyncio.run(scenario())


def test_a_connection_that_was_answered_waits_for_the_next_message_from_then_on_and_makes_room() -> None:
    async def scenario() -> None:
        stored = Stored(Verdict.DURABLE)
        conversation = conversation_with(stored)
        for number in range(1, 4):
            stored.released.clear()
            await conversation.say(request())
            await conversation.wait_s(1)
            conversation.connections.full = True
            stored.released.set()
            assert statuses(await conversation.heard()) == [200] * number
            assert conversation.protocol.waiting is Waiting.NEXT
            assert conversation.protocol.since_s == conversation.now_s
            assert not conversation.connections.full
        conversation.connection.connection_lost(None)

    asyncio.run(scenario())
