"""The hot route without ASGI: the connection itself hands a message to the publisher, and writes the answer.

It only ever says 200. Whatever else a request needs (a refusal, a continuation, an order to keep) is the application's:
it gets the request as if it had come to it first. So every rule is in one place.
"""

import asyncio
from collections.abc import Collection

import msgspec
from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from ingest.admission import Verdict
from ingest.connections import Connections
from ingest.hot_path import CONCLUDED, OK_BODY, OK_HEADERS, PREFIX, REQUEST_ID, Concluded, HotPath, Source
from ingest.limits import Waiting
from ingest.plain import Shape, Shapes
from ingest.problems import HeaderList, Refusal
from ingest.protocol import Protocol
from ingest.publisher import Publisher
from ingest.request import JSON, Head, RequestIds, check_head
from runtime.clock import Clock
from runtime.metrics import INGEST_DISCONNECTS

_ANSWER = Waiting.ANSWER
_DURABLE = Verdict.DURABLE
_NEXT = Waiting.NEXT
# A sender whose heads differ all the time is not looked at again and again.
_LOOKS_MAX = 10
_END = b"\r\n\r\n" + OK_BODY
_LAST_END = b"\r\nconnection: close" + _END


class Tally(msgspec.Struct, eq=False):
    """What is not counted yet of one source's messages: it is at the end of this turn of the event loop."""

    source: Source
    messages: int = 0
    size_bytes: int = 0
    started_s: list[float] = []


class DirectRoute:
    """What all connections know of the hot route."""

    def __init__(self, hot_path: HotPath, publisher: Publisher, clock: Clock, ids: RequestIds) -> None:
        """Accept the messages that `hot_path` would."""
        self.record = hot_path.record
        self.submit = publisher.submit
        self.now_s = clock.monotonic_s
        self.ids = ids
        self.sources = {(PREFIX + name).encode(): Tally(source) for name, source in hot_path.sources.items()}
        self.shapes = Shapes(self.sources)
        self._accepted = hot_path.accepted
        self._took = hot_path.took
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
            lines = b"".join(b"%b: %b\r\n" % header for header in [*defaults, *OK_HEADERS])
            self._head = STATUS_LINE[200] + lines + REQUEST_ID + b": "
        end = _END if keep_alive else _LAST_END
        return self._head + request_id.encode() + end

    def _count_all(self, tally: Tally) -> None:
        now_s = self.now_s()
        self._took(tally.source, [now_s - started_s for started_s in tally.started_s])
        tally.started_s.clear()
        if tally.messages:
            self._accepted(tally.source, tally.messages, tally.size_bytes)
            tally.messages = tally.size_bytes = 0


Headers = Collection[tuple[bytes, bytes]]


class DirectRequest:
    """One message on its way: to the connection what a cycle of uvicorn is, to the publisher who waits."""

    __slots__ = (
        "_counted",
        "_is_done",
        "_protocol",
        "_request_id",
        "_route",
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

    def __init__(
        self, protocol: "DirectProtocol", route: DirectRoute, tally: Tally, url: bytes, headers: Headers, head: Head
    ) -> None:
        """Begin with the head."""
        self._protocol = protocol
        self._route = route
        self._tally = tally
        self._is_done = self._counted = False
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
        route = self._route
        self.more_body = False
        self._size_bytes = len(body)
        self._started_s = route.now_s()
        self._request_id = request_id = route.ids.of(self.head)
        try:
            route.submit(route.record(self._tally.source, self.head, body, request_id), self)
        except Exception:  # noqa: BLE001 - the application meets the same, and answers it
            self._is_done = True
            self._protocol.hand_over(self, body, None)

    def done(self) -> bool:
        """Tell whether there is a verdict."""
        return self._is_done

    def set_result(self, verdict: Verdict) -> None:
        """Answer."""
        self._is_done = True
        route, protocol, tally = self._route, self._protocol, self._tally
        route.count(tally, self._started_s)
        if verdict is not _DURABLE:
            protocol.hand_over(self, b"", Concluded(self._request_id, verdict))
            return
        tally.messages += 1
        tally.size_bytes += self._size_bytes
        if self.disconnected:
            return
        self.response_complete = True
        if not protocol.transport.is_closing():
            defaults = protocol.server_state.default_headers
            protocol.write_whole(route.answer(self._request_id, defaults, keep_alive=self.keep_alive))
            if not self.keep_alive:
                protocol.transport.close()
        protocol.on_response_complete()


class DirectProtocol(Protocol):
    """One connection that answers plain messages itself, if nothing of it is being answered already."""

    def __init__(self, config: Config, server_state: ServerState, connections: Connections, route: DirectRoute) -> None:
        """Serve what `config` names, and `route`."""
        super().__init__(config, server_state, connections)
        self._route = route
        self._direct: DirectRequest | None = None
        self._shape: Shape[Tally] | None = None
        self._looks = _LOOKS_MAX

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the base class does
        """Take a connection."""
        super().connection_made(transport)
        self.write_whole = self._answers.write_whole

    def data_received(self, data: bytes) -> None:
        """Answer a message here that came whole and looks like the last; have everything else parsed."""
        # Waiting for the next, the parser has nothing of it yet.
        if self.waiting is not _NEXT or not self._take(data):
            super().data_received(data)

    def _take(self, data: bytes) -> bool:
        """Take a message that needs no parser, if `data` is one."""
        shape = self._shape
        last: object = self.cycle
        if shape is None and self._looks and isinstance(last, DirectRequest):
            # The last message was authentic, so a shape is not made of what anyone sends.
            self._looks -= 1
            shape = self._shape = self._route.shapes.of(data)
        if shape is None or self._others.draining or self.flow.write_paused or not self.cycle.response_complete:
            return False
        read = shape.read(data, self._max_head_bytes)
        if read is None:
            self._shape = None
            return False
        head, body = read
        if head[b"content-type"] != JSON or len(body) > shape.to.source.max_body_bytes:
            return False
        self.waiting, self.since_s = _ANSWER, self._others.now_s
        headers = head.items()
        self.url, self.headers = shape.target, headers  # type: ignore[assignment] # a list costs, and is rarely read
        direct = DirectRequest(self, self._route, shape.to, shape.target, headers, head)
        self.cycle = direct  # type: ignore[assignment]
        direct.publish(body)
        return True

    def begin(self) -> None:
        """Begin a message here, anything else in the application."""
        tally = self._route.sources.get(self.url)
        head = None if tally is None else self._plain_head(tally.source)
        if tally is None or head is None:
            super().begin()
        else:
            self._direct = DirectRequest(self, self._route, tally, self.url, self.headers, head)
            self.cycle = self._direct  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; of a message its length is known, and within the limit."""
        direct = self._direct
        if direct is None:
            super().on_body(body)
        elif not direct.body:
            direct.body = body
        else:
            if isinstance(direct.body, bytes):
                direct.body = bytearray(direct.body)
            direct.body += body

    def on_message_complete(self) -> None:
        """End the request."""
        direct = self._direct
        if direct is None:
            super().on_message_complete()
        else:
            self._direct = None
            self.waiting = _ANSWER
            # An idle connection keeps its last request, and should not keep a message with it.
            body, direct.body = bytes(direct.body), b""
            direct.publish(body)

    def hand_over(self, direct: DirectRequest, body: bytes, concluded: Concluded | None) -> None:
        """Have the application answer a request that has begun here; what is `concluded` is only told."""
        path = direct.url.decode("ascii")
        state = self.app_state.copy()
        if concluded is not None:
            state[CONCLUDED] = concluded
        scope: Scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "headers": list(direct.headers),
            "state": state,
            "method": "POST",
            "path": path,
            "raw_path": direct.url,
            "query_string": b"",
        }
        cycle = self.new_cycle(scope, keep_alive=direct.keep_alive)
        cycle.body += body
        cycle.disconnected = direct.disconnected
        current: object = self.cycle
        if current is direct:
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)

    def _plain_head(self, source: Source) -> Head | None:
        """Return the headers of a message that is worth reading and needs nothing but its answer, else None."""
        parser = self.parser
        if self._chunked or self.flow.write_paused or not self._answered():
            return None
        if parser.get_method() != b"POST" or not parser.should_keep_alive():
            return None
        head = dict(self.headers)
        if b"content-length" not in head or b"expect" in head:
            return None
        # Without this header only HTTP/1.1 keeps alive.
        if b"connection" in head and parser.get_http_version() != "1.1":
            return None
        try:
            check_head("POST", head, source.max_body_bytes)
        except Refusal:
            return None
        return head
