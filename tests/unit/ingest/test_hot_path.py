import asyncio
import gzip
import json

import pytest
from prometheus_client import REGISTRY

from ingest.admission import Verdict
from ingest.authentication.authenticator import Unauthenticated
from ingest.client import Record
from ingest.hot_path import HotPath
from ingest.publisher import Waiter
from ingest.recording import Source
from ingest.request import RequestIds
from schemas.topics import TopicNames
from tests.support.asgi import JSON, Answer, HeaderPairs, ask, ask_once, pieces
from tests.support.posts import body, user

URL = "/v1/aam/dev"
NOW_MS = 1_700_000_000_123
GOOD = body(user())
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class StoppedClock:
    def now_ms(self) -> int:
        return NOW_MS

    def monotonic_s(self) -> float:
        return 5.0


class RememberingPublisher:
    def __init__(self, verdict: Verdict = Verdict.DURABLE) -> None:
        self.verdict = verdict
        self.records: list[Record] = []

    async def publish(self, record: Record) -> Verdict:
        self.records.append(record)
        return self.verdict

    def submit(self, record: Record, waiter: Waiter) -> None:
        self.records.append(record)
        waiter.set_result(self.verdict)


class HeldPublisher(RememberingPublisher):
    def __init__(self) -> None:
        super().__init__()
        self.arrived = asyncio.Event()
        self.release = asyncio.Event()

    async def publish(self, record: Record) -> Verdict:
        self.records.append(record)
        self.arrived.set()
        await self.release.wait()
        return self.verdict


def hot_path(publisher: RememberingPublisher, max_body_bytes: int = 4096) -> HotPath:
    sources = {name: Source(name, max_body_bytes, Unauthenticated()) for name in ("dev", "adobe")}
    return HotPath(sources, publisher, TopicNames("t."), StoppedClock(), RequestIds())


def post(
    payload: bytes, headers: HeaderPairs = JSON, verdict: Verdict = Verdict.DURABLE
) -> tuple[Answer, list[Record]]:
    publisher = RememberingPublisher(verdict)
    return ask_once(hot_path(publisher), "POST", URL, headers, payload), publisher.records


def counted(status: int, problem: str, source: str = "dev") -> float:
    labels = {"source": source, "status": str(status), "problem": problem}
    return REGISTRY.get_sample_value("segwire_ingest_answers_total", labels) or 0.0


def test_a_durable_message_is_answered_200_with_an_empty_object() -> None:
    before = counted(200, "")
    answer, records = post(GOOD)
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == "2"
    assert answer.headers["x-request-id"]
    assert counted(200, "") == before + 1
    assert records == [
        Record(
            "t.aam-posts",
            GOOD,
            [
                ("segwire-source", b"dev"),
                ("segwire-received-at-ms", str(NOW_MS).encode()),
                ("segwire-request-id", answer.headers["x-request-id"].encode()),
                ("content-type", b"application/json"),
            ],
        )
    ]


def test_what_a_request_says_of_itself_travels_with_the_message() -> None:
    packed = gzip.compress(GOOD)
    answer, [record] = post(
        packed, [*JSON, ("Content-Encoding", "gzip"), ("X-Request-Id", "abc-1"), ("traceparent", TRACE)]
    )
    assert answer.status == 200
    assert answer.headers["x-request-id"] == "abc-1"
    assert record.value == packed
    assert dict(record.headers) == {
        "segwire-source": b"dev",
        "segwire-received-at-ms": str(NOW_MS).encode(),
        "segwire-request-id": b"abc-1",
        "content-type": b"application/json",
        "content-encoding": b"gzip",
        "traceparent": TRACE.encode(),
    }


def test_200_is_said_only_after_the_publisher_said_durable() -> None:
    async def scenario() -> None:
        publisher = HeldPublisher()
        asking = asyncio.ensure_future(ask(hot_path(publisher), "POST", URL, JSON, pieces(GOOD)))
        await publisher.arrived.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not asking.done()
        publisher.release.set()
        assert (await asking).status == 200

    asyncio.run(scenario())


@pytest.mark.parametrize("parts", [[b"", GOOD], [GOOD[:1], GOOD[1:]], [GOOD[:10], b"", GOOD[10:50], GOOD[50:], b""]])
def test_a_body_may_come_in_pieces(parts: list[bytes]) -> None:
    publisher = RememberingPublisher()
    answer = ask_once(hot_path(publisher), "POST", URL, JSON, pieces(*parts))
    assert answer.status == 200
    assert [record.value for record in publisher.records] == [GOOD]


def test_a_message_without_users_is_a_message() -> None:
    assert post(b'{"Users":[]}')[0].status == 200


def test_a_bad_user_does_not_refuse_the_message() -> None:
    assert post(b'{"Users":[{"AAM_UUID":null},7]}')[0].status == 200


def test_an_unknown_source_is_404_whatever_else_is_wrong() -> None:
    before = counted(404, "unknown-source", "unknown")
    for method, path in [
        ("POST", "/v1/aam/nobody"),
        ("GET", "/v1/aam/nobody"),
        ("POST", "/v1/aam/"),
        ("POST", URL + "/"),
    ]:
        answer = ask_once(hot_path(RememberingPublisher()), method, path)
        assert_problem(answer, 404, "unknown-source")
    assert counted(404, "unknown-source", "unknown") == before + 4
    assert counted(404, "unknown-source", "nobody") == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_another_method_is_405_with_the_allowed_one(method: str) -> None:
    answer = ask_once(hot_path(RememberingPublisher()), method, URL)
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "headers", [[], [("content-type", "text/xml")], [("content-type", "application/json; charset=x")]]
)
def test_another_media_type_is_415(headers: HeaderPairs) -> None:
    answer, records = post(GOOD, headers)
    assert_problem(answer, 415, "unsupported-media-type")
    assert records == []


def test_an_unknown_content_encoding_is_415_and_names_the_known_one() -> None:
    answer, records = post(GOOD, [*JSON, ("content-encoding", "br")])
    assert_problem(answer, 415, "unsupported-media-type")
    assert "'br'" in answer.json()["detail"]
    assert answer.headers["accept-encoding"] == "gzip"
    assert records == []


def test_an_announced_length_over_the_limit_is_413_and_the_connection_closes() -> None:
    answer, records = post(b"x" * 5000, [*JSON, ("content-length", "5000")])
    assert_problem(answer, 413, "too-large")
    assert answer.headers["connection"] == "close"
    assert records == []


def test_a_body_over_the_limit_is_413_without_an_announced_length() -> None:
    app = hot_path(RememberingPublisher())
    answer = ask_once(app, "POST", URL, JSON, pieces(*[b"x" * 1000] * 6))
    assert_problem(answer, 413, "too-large")
    assert answer.headers["connection"] == "close"


def test_only_so_much_is_read_after_a_refusal() -> None:
    app = hot_path(RememberingPublisher())
    answer = ask_once(app, "POST", URL, JSON, pieces(*[b"x" * (1 << 20)] * 100))
    assert_problem(answer, 413, "too-large")
    assert answer.unread > 80


def test_a_body_at_the_limit_is_accepted() -> None:
    payload = GOOD + b" " * (4096 - len(GOOD))
    assert post(payload, [*JSON, ("content-length", "4096")])[0].status == 200


def test_a_body_over_the_limit_once_inflated_is_413() -> None:
    answer, records = post(gzip.compress(b" " * 100_000 + GOOD), [*JSON, ("content-encoding", "gzip")])
    assert_problem(answer, 413, "too-large")
    assert "inflated" in answer.json()["detail"]
    assert records == []


@pytest.mark.parametrize("payload", [GOOD, gzip.compress(GOOD, mtime=0)[:-9], b"", gzip.compress(GOOD, mtime=0) + b"x"])
def test_gzip_that_does_not_inflate_is_400_after_it_was_set_aside(payload: bytes) -> None:
    answer, [letter] = post(payload, [*JSON, ("content-encoding", "gzip")])
    assert_problem(answer, 400, "bad-encoding")
    assert letter.topic == "t.dead-letters"
    assert letter.value == payload
    assert dict(letter.headers)["error"] == b"bad-encoding"
    assert dict(letter.headers)["content-encoding"] == b"gzip"


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"Users":{}}', b'{"Users":[}', b"\xff\xfe", GOOD + b"x"]
)
def test_a_malformed_message_is_400_after_it_was_set_aside(payload: bytes) -> None:
    answer, [letter] = post(payload)
    assert_problem(answer, 400, "malformed-message")
    document = answer.json()
    assert document["where"] in document["detail"]
    assert document["reason"] in document["detail"]
    assert letter.topic == "t.dead-letters"
    assert letter.value == payload
    headers = dict(letter.headers)
    assert headers["stage"] == b"ingest"
    assert headers["error"] == b"malformed-message"
    assert headers["reason"].decode() == f"{document['where']}: {document['reason']}"
    assert headers["source"] == headers["segwire-source"] == b"dev"
    assert headers["segwire-received-at-ms"] == str(NOW_MS).encode()
    assert headers["segwire-request-id"].decode() == document["request_id"]


def test_400_is_said_only_after_the_dead_letter_is_durable() -> None:
    async def scenario() -> None:
        publisher = HeldPublisher()
        asking = asyncio.ensure_future(ask(hot_path(publisher), "POST", URL, JSON, pieces(b"{")))
        await publisher.arrived.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not asking.done()
        publisher.release.set()
        assert (await asking).status == 400

    asyncio.run(scenario())


@pytest.mark.parametrize("payload", [GOOD, b"{"])
def test_without_a_durable_store_everything_is_503_and_a_loss_risk(payload: bytes) -> None:
    before = REGISTRY.get_sample_value("segwire_ingest_loss_risk_total", {"source": "dev"}) or 0.0
    answer, _ = post(payload, verdict=Verdict.NO_DURABLE_STORE)
    assert_problem(answer, 503, "no-durable-store")
    assert REGISTRY.get_sample_value("segwire_ingest_loss_risk_total", {"source": "dev"}) == before + 1


def test_a_record_that_kafka_never_takes_is_413() -> None:
    answer, _ = post(GOOD, verdict=Verdict.TOO_LARGE)
    assert_problem(answer, 413, "too-large")
    assert "max.message.bytes" in answer.json()["detail"]


@pytest.mark.parametrize("parts", [[], [GOOD[:20]], [GOOD]])
def test_a_sender_that_goes_away_is_not_answered_and_nothing_is_stored(parts: list[bytes]) -> None:
    before = REGISTRY.get_sample_value("segwire_ingest_disconnects_total", {"source": "dev"}) or 0.0
    publisher = RememberingPublisher()
    answer = ask_once(hot_path(publisher), "POST", URL, JSON, pieces(*parts, complete=False))
    assert answer.status == 0
    assert publisher.records == []
    assert REGISTRY.get_sample_value("segwire_ingest_disconnects_total", {"source": "dev"}) == before + 1


def test_each_source_is_told_apart() -> None:
    publisher = RememberingPublisher()
    before = counted(200, "", "adobe")
    assert ask_once(hot_path(publisher), "POST", "/v1/aam/adobe", JSON, GOOD).status == 200
    assert dict(publisher.records[0].headers)["segwire-source"] == b"adobe"
    assert counted(200, "", "adobe") == before + 1


def assert_problem(answer: Answer, status: int, name: str) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-length"] == str(len(answer.body))
    document = json.loads(answer.body)
    assert document["type"].endswith(name)
    assert document["status"] == status
    assert document["request_id"] == answer.headers["x-request-id"]
    assert document["title"]
    assert document["detail"]
