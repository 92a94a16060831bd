"""The hot route without ASGI: the connection itself hands a message to the publisher, and writes the answer.

It only ever says 200. Whatever else a request needs (a refusal, a continuation, an order to keep) is the application's:
it gets the request as if it had come to it first. So every rule is in one place. Compiled in the wheel (ADR 23).
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol, final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from ingest.admission import Verdict
from ingest.client import Record
from ingest.connections import Connections
from ingest.hot_path import OK_BODY, OK_HEADERS, PREFIX, REQUEST_ID, Concluded, HotPath
from ingest.limits import Waiting
from ingest.plain import Shape, Shapes
from ingest.problems import HeaderList
from ingest.publisher import Publisher
from ingest.recording import Source
from ingest.request import JSON, Head, RequestIds
from runtime.clock import Clock
from runtime.metrics import INGEST_DISCONNECTS

_ANSWER: Final = Waiting.ANSWER
_NEXT: Final = Waiting.NEXT
_DURABLE: Final = Verdict.DURABLE
# A sender whose heads differ all the time is not looked at again and again.
_LOOKS_MAX: Final = 10
_END: Final = b"\r\n\r\n" + OK_BODY
_LAST_END: Final = b"\r\nconnection: close" + _END

Headers = Collection[tuple[bytes, bytes]]


class Rest(Protocol):
    """The protocol behind a direct connection: it parses, and knows the application."""

    waiting: Waiting
    since_s: float
    cycle: Any
    url: bytes
    headers: Any

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take the connection."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""

    def eof_received(self) -> bool:
        """Take that the sender has closed its side."""

    def pause_writing(self) -> None:
        """Take that the sender does not read what it is answered."""

    def resume_writing(self) -> None:
        """Take that it does."""

    def on_response_complete(self) -> None:
        """Go on with the next request."""

    def hand_over(self, direct: "DirectRequest", body: bytes, concluded: Concluded | None) -> None:
        """Have the application answer a request that has begun here; what is `concluded` is only told."""


@final
class Tally:
    """What is not counted yet of one source's messages: it is at the end of this turn of the event loop."""

    __slots__ = ("messages", "size_bytes", "source", "started_s")

    def __init__(self, source: Source) -> None:
        """Nothing is counted yet."""
        self.source = source
        self.messages = self.size_bytes = 0
        self.started_s: list[float] = []


@final
class DirectRoute:
    """What all connections know of the hot route."""

    def __init__(self, hot_path: HotPath, publisher: Publisher, clock: Clock, ids: RequestIds) -> None:
        """Accept the messages that `hot_path` would."""
        self.record: Callable[[Source, Head, bytes, str], Record] = hot_path.record
        self.publisher = publisher
        self.clock = clock
        self.ids = ids
        self.sources = {(PREFIX + name).encode(): Tally(source) for name, source in hot_path.sources.items()}
        self.shapes: Shapes[Tally] = Shapes(self.sources)
        self._hot_path = hot_path
        self._defaults: HeaderList | None = None
        self._head = b""

    def count(self, tally: Tally, started_s: float) -> None:
        """Count a message that has its verdict, together with the others of this turn of the event loop."""
        if not tally.started_s:
            asyncio.get_running_loop().call_soon(self._count_all, tally)
        tally.started_s.append(started_s)

    def answer(self, request_id: str, defaults: HeaderList, *, keep_alive: bool) -> bytes:
        """Return the 200; `defaults` are the server's own headers, a new list whenever they change."""
        if defaults is not self._defaults:
            self._defaults = defaults
            lines = b"".join([name + b": " + value + b"\r\n" for name, value in [*defaults, *OK_HEADERS]])
            self._head = STATUS_LINE[200] + lines + REQUEST_ID + b": "
        end = _END if keep_alive else _LAST_END
        return self._head + request_id.encode() + end

    def _count_all(self, tally: Tally) -> None:
        now_s = self.clock.monotonic_s()
        self._hot_path.took(tally.source, [now_s - started_s for started_s in tally.started_s])
        tally.started_s.clear()
        if tally.messages:
            self._hot_path.accepted(tally.source, tally.messages, tally.size_bytes)
            tally.messages = tally.size_bytes = 0


@final
class DirectRequest:
    """One message on its way: to the protocol what a cycle of uvicorn is, to the publisher who waits."""

    __slots__ = (
        "_connection",
        "_counted",
        "_is_done",
        "_request_id",
        "_size_bytes",
        "_started_s",
        "_tally",
        "body",
        "disconnected",
        "head",
        "headers",
        "keep_alive",
        "more_body",
        "response_complete",
        "response_started",
        "url",
    )

    def __init__(self, connection: "DirectConnection", tally: Tally, url: bytes, headers: Headers, head: Head) -> None:
        """Begin with the head."""
        self._connection = connection
        self._tally = tally
        self._is_done = self._counted = False
        self._request_id = ""
        self._started_s = 0.0
        self._size_bytes = 0
        self.url, self.headers, self.head = url, headers, head
        self.body: bytes | bytearray = b""
        self.more_body = self.keep_alive = True
        self.disconnected = self.response_started = self.response_complete = False

    @property
    def message_event(self) -> "DirectRequest":
        """Return what is set when something has changed. Not kept: nothing here needs the garbage collector."""
        return self

    def set(self) -> None:
        """Hear that something has changed: of interest is only that the sender went away too early."""
        if self.disconnected and self.more_body and not self._counted:
            self._counted = True
            INGEST_DISCONNECTS.labels(self._tally.source.name).inc()

    def publish(self, body: bytes) -> None:
        """Hand the message over, now that it is whole."""
        route = self._connection.route
        self.more_body = False
        self._size_bytes = len(body)
        self._started_s = route.clock.monotonic_s()
        self._request_id = request_id = route.ids.of(self.head)
        try:
            route.publisher.submit(route.record(self._tally.source, self.head, body, request_id), self)
        except Exception:  # noqa: BLE001 - the application meets the same, and answers it
            self._is_done = True
            self._connection.rest.hand_over(self, body, None)

    def done(self) -> bool:
        """Tell whether there is a verdict."""
        return self._is_done

    def set_result(self, verdict: Verdict) -> None:
        """Answer."""
        self._is_done = True
        connection, tally = self._connection, self._tally
        connection.route.count(tally, self._started_s)
        if verdict is not _DURABLE:
            connection.rest.hand_over(self, b"", Concluded(self._request_id, verdict))
            return
        tally.messages += 1
        tally.size_bytes += self._size_bytes
        if self.disconnected:
            return
        self.response_complete = True
        connection.answer(self._request_id, keep_alive=self.keep_alive)


@final
class DirectConnection:
    """What the transport talks to: answers plain messages that come whole, and leaves everything else to `rest`.

    To that the message is a request that is being answered, so that order, limits, drain and endings are its own.
    """

    def __init__(self, rest: Rest, server_state: ServerState, connections: Connections, route: DirectRoute) -> None:
        """Stand before `rest`."""
        self.rest = rest
        self.route = route
        self._server_state = server_state
        self._others = connections
        self._max_head_bytes = connections.limits.max_head_bytes
        self._shape: Shape[Tally] | None = None
        self._looks = _LOOKS_MAX
        self._untold: DirectRequest | None = None
        self._is_unread = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take a connection."""
        self._is_closing = transport.is_closing
        self._write = transport.write
        self._close = transport.close
        self.rest.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.rest.connection_lost(exc)

    def pause_writing(self) -> None:
        """Take no more while the sender does not read what it is answered."""
        self._is_unread = True
        self.rest.pause_writing()

    def resume_writing(self) -> None:
        """Go on when it does."""
        self._is_unread = False
        self.rest.resume_writing()

    def eof_received(self) -> bool:
        """Tell whether there is something to answer yet."""
        return self.rest.eof_received()

    def data_received(self, data: bytes) -> None:
        """Answer a message here that came whole and looks like the last; have everything else parsed."""
        # Waiting for the next, the parser has nothing of it yet.
        if self.rest.waiting is _NEXT and self._take(data):
            return
        if self._untold is not None:
            self.rest.url, self.rest.headers = self._untold.url, self._untold.headers
            self._untold = None
        self.rest.data_received(data)

    def answer(self, request_id: str, *, keep_alive: bool) -> None:
        """Say that a message is durable."""
        rest = self.rest
        if not self._is_closing():
            self._write(self.route.answer(request_id, self._server_state.default_headers, keep_alive=keep_alive))
            if not keep_alive:
                self._close()
            elif self._untold is not None:
                # Nothing has come since the message did, so nothing waits behind it.
                rest.waiting, rest.since_s = _NEXT, self._others.now_s
                self._others.full = False
                return
        rest.on_response_complete()

    def _take(self, data: bytes) -> bool:
        """Take a message that needs no parser, if `data` is one."""
        shape = self._shape or self._look(data)
        if shape is None or self._others.draining or self._is_unread:
            return False
        read = shape.read(data, self._max_head_bytes)
        if read is None:
            self._shape = None
            return False
        head, body = read
        tally = shape.to
        if head[b"content-type"] != JSON or len(body) > tally.source.max_body_bytes:
            return False
        request = DirectRequest(self, tally, shape.target, head.items(), head)
        # Its target and headers are told when the parser reads on: a refusal then may name it.
        self._untold = request
        rest = self.rest
        rest.waiting, rest.since_s, rest.cycle = _ANSWER, self._others.now_s, request
        request.publish(body)
        return True

    def _look(self, data: bytes) -> Shape[Tally] | None:
        """Return the shape of `data`; the last message was authentic, so a shape is not made of what anyone sends."""
        if self._looks and isinstance(self.rest.cycle, DirectRequest):
            self._looks -= 1
            self._shape = self.route.shapes.of(data)
        return self._shape
