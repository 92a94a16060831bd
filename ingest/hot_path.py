"""`POST /v1/aam/{source}`: bytes in, answer out. Every rule is here; `direct` takes plain messages past ASGI.

Source: interfaces, *HTTP, ingest*; the design, *Ingest: when is 200 said*.
"""

import asyncio
from collections.abc import Iterable, Mapping

import msgspec
from starlette.types import Receive, Scope, Send

from ingest.admission import Verdict
from ingest.client import Record
from ingest.problems import (
    BAD_ENCODING,
    MALFORMED_MESSAGE,
    NO_DURABLE_STORE,
    TOO_LARGE,
    UNKNOWN_SOURCE,
    HeaderList,
    Problem,
    Refusal,
    response,
)
from ingest.publisher import Publisher
from ingest.recording import Recorder, Source
from ingest.refusal_log import RefusalLog
from ingest.request import ClientDisconnected, Head, RequestIds, check_head, read_body
from runtime.clock import Clock
from runtime.metrics import (
    DEAD_LETTERS,
    INGEST_ANSWER_SECONDS,
    INGEST_ANSWERS,
    INGEST_BODY_BYTES,
    INGEST_DISCONNECTS,
    INGEST_LOSS_RISK,
)
from schemas.content import BadEncoding
from schemas.headers import Headers
from schemas.post import MalformedPost
from schemas.topics import TopicNames

PREFIX = "/v1/aam/"
STAGE = "ingest"

# After a 413 so much more is read and thrown away: a sender that is still writing would else be reset, unanswered.
_DISCARDED_BYTES_MAX = 8 << 20
_DISCARD_S = 2.0

REQUEST_ID = b"x-request-id"
OK_BODY = b"{}"
OK_HEADERS: HeaderList = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(OK_BODY))]


class Concluded(msgspec.Struct, frozen=True):
    """What became of a message that did not come through this application: all that is left is to say so."""

    request_id: str
    verdict: Verdict


CONCLUDED = "concluded"
"""Under which name the state of a request's scope has it."""


class HotPath:
    """An ASGI application for every path below `/v1/aam/`."""

    def __init__(
        self, sources: Mapping[str, Source], publisher: Publisher, topics: TopicNames, clock: Clock, ids: RequestIds
    ) -> None:
        """Serve `sources`; what they send goes to the topics' `aam_posts`."""
        self.sources = sources
        self._publisher = publisher
        self._topics = topics
        self._clock = clock
        recorder = Recorder(topics.aam_posts, clock)
        self.record = recorder.record
        self._described = recorder.described
        self._ids = ids
        self._refusals = RefusalLog(clock)
        # Looked up once: finding a labelled child costs more than counting.
        self._accepted = {name: INGEST_ANSWERS.labels(name, "200", "") for name in sources}
        self._accepted_bytes = {name: INGEST_BODY_BYTES.labels(name) for name in sources}
        self._seconds = {name: INGEST_ANSWER_SECONDS.labels(name) for name in sources}
        for name in sources:
            # An increase from nothing to one is none: the alert needs to see the nought.
            INGEST_LOSS_RISK.labels(name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: Head = dict(scope["headers"])
        concluded: Concluded | None = scope["state"].get(CONCLUDED)
        request_id = self._ids.of(headers) if concluded is None else concluded.request_id
        name = scope["path"][len(PREFIX) :]
        source = self.sources.get(name)
        body: bytes | None = None
        try:
            if source is None:
                raise _unknown_source(name)
            if concluded is not None:
                raise _not_stored(concluded.verdict, source)
            check_head(scope["method"], headers, source.max_body_bytes)
            body = await read_body(receive, source.max_body_bytes)
            started_s = self._clock.monotonic_s()
            try:
                await self._store(source, headers, body, request_id)
            finally:
                self.took(source, (self._clock.monotonic_s() - started_s,))
        except Refusal as refusal:
            INGEST_ANSWERS.labels(
                "unknown" if source is None else source.name, str(refusal.problem.status), refusal.problem.name
            ).inc()
            self._refusals.tell(refusal.problem.name, source.name if source else None, request_id, scope.get("client"))
            if body is None and b"expect" in headers:
                # Whether the body still comes is the sender's choice: the next bytes may be it, or another request.
                refusal.headers.append((b"connection", b"close"))
            await _refuse(refusal, request_id, receive, send)
        except ClientDisconnected:
            INGEST_DISCONNECTS.labels("unknown" if source is None else source.name).inc()
        else:
            self.accepted(source, 1, len(body))
            headers_of_answer = [*OK_HEADERS, (REQUEST_ID, request_id.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers_of_answer})
            await send({"type": "http.response.body", "body": OK_BODY})

    def accepted(self, source: Source, messages: int, size_bytes: int) -> None:
        """Count messages that are durable."""
        self._accepted[source.name].inc(messages)
        self._accepted_bytes[source.name].inc(size_bytes)

    def took(self, source: Source, seconds: Iterable[float]) -> None:
        """Count the times from whole bodies to their answers."""
        observe = self._seconds[source.name].observe
        for waited_s in seconds:
            observe(waited_s)

    async def _store(self, source: Source, headers: Head, body: bytes, request_id: str) -> None:
        """Return when the message is durable.

        Raises:
            Refusal: it is no message (it is in the dead letters then), or no store has it.
        """
        try:
            record = self.record(source, headers, body, request_id)
        except MalformedPost as error:
            where_and_why = {"where": error.where, "reason": error.reason}
            await self._set_aside(MALFORMED_MESSAGE, str(error), source, headers, body, request_id)
            raise Refusal(MALFORMED_MESSAGE, f"{error}. {MALFORMED_MESSAGE.remedy}", extra=where_and_why) from None
        except BadEncoding as error:
            await self._set_aside(BAD_ENCODING, str(error), source, headers, body, request_id)
            raise Refusal(BAD_ENCODING, f"{error}. {BAD_ENCODING.remedy}") from None
        verdict = await self._publisher.publish(record)
        if verdict is not Verdict.DURABLE:
            raise _not_stored(verdict, source)

    async def _set_aside(
        self, problem: Problem, reason: str, source: Source, headers: Head, body: bytes, request_id: str
    ) -> None:
        described: Headers = [
            ("stage", STAGE.encode()),
            ("error", problem.name.encode()),
            ("reason", reason.encode("utf-8", "replace")),
            ("source", source.name.encode()),
            *self._described(source, headers, request_id),
        ]
        verdict = await self._publisher.publish(Record(self._topics.dead_letters, body, described))
        if verdict is not Verdict.DURABLE:
            raise _not_stored(verdict, source)
        DEAD_LETTERS.labels(STAGE, problem.name).inc()


def _unknown_source(name: str) -> Refusal:
    return Refusal(UNKNOWN_SOURCE, f"The source {name[:80]!r} is not configured: see `sources`")


def _not_stored(verdict: Verdict, source: Source) -> Refusal:
    if verdict is Verdict.TOO_LARGE:
        return Refusal(
            TOO_LARGE, "Kafka refuses a record of this size: send fewer users, or raise the topic's max.message.bytes"
        )
    INGEST_LOSS_RISK.labels(source.name).inc()
    return Refusal(NO_DURABLE_STORE, f"Neither Kafka nor the spool took it in time. {NO_DURABLE_STORE.remedy}")


async def _refuse(refusal: Refusal, request_id: str, receive: Receive, send: Send) -> None:
    headers, body = response(refusal.problem, refusal.detail, request_id, refusal.extra)
    headers += refusal.headers
    await send({"type": "http.response.start", "status": refusal.problem.status, "headers": headers})
    closes = (b"connection", b"close") in refusal.headers
    if closes:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await _discard(receive)
        body = b""
    await send({"type": "http.response.body", "body": body})


async def _discard(receive: Receive) -> None:
    """Read on for a while without keeping anything, so that the answer is read before the connection ends."""
    discarded_bytes = 0
    try:
        async with asyncio.timeout(_DISCARD_S):
            while discarded_bytes < _DISCARDED_BYTES_MAX:
                message = await receive()
                discarded_bytes += len(message.get("body", b""))
                if not message.get("more_body"):
                    return
    except TimeoutError:
        return
