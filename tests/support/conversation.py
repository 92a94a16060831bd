"""A connection without a socket: bytes in, bytes out, through the real classes."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

from ingest.admission import Verdict
from ingest.authentication.authenticator import Unauthenticated
from ingest.client import Record
from ingest.connections import Connections
from ingest.direct import DirectConnection, DirectRoute
from ingest.direct_protocol import DirectProtocol
from ingest.hot_path import HotPath
from ingest.limits import Limits
from ingest.protocol import Protocol
from ingest.publisher import Publisher, Waiter
from ingest.recording import Source
from ingest.request import Head, RequestIds
from runtime.clock import SystemClock


class MemoryTransport:
    """Keeps what is written, and knows how it was ended."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = self.aborted = self.half_closed = self.reads_paused = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        assert not self.half_closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.half_closed = True

    def pause_reading(self) -> None:
        self.reads_paused = True

    def resume_reading(self) -> None:
        self.reads_paused = False

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default


class Application:
    """Answers 200 to whatever it is sent; holds its answers until `released` is set.

    It is an ASGI application, and what the direct route has instead of one.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[Scope, bytes]] = []
        self.direct = 0
        self.sources = {"dev": Source("dev", 1 << 20, Unauthenticated())}
        self._held: set[asyncio.Task[None]] = set()
        self.released = asyncio.Event()
        self.released.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        message: Message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
        self.seen.append((scope, body))
        await self.released.wait()
        text = str(len(body)).encode()
        headers = [(b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    def route(self) -> DirectRoute:
        """Return the direct way to it."""
        return DirectRoute(cast("HotPath", self), cast("Publisher", self), SystemClock(), RequestIds())

    def record(self, source: Source, head: Head, body: bytes, _request_id: str) -> Record:
        self.seen.append(({"path": f"/v1/aam/{source.name}", "headers": list(head.items())}, body))
        return Record("aam-posts", body, [])

    def submit(self, _record: Record, waiter: Waiter) -> None:
        async def answer() -> None:
            await self.released.wait()
            waiter.set_result(Verdict.DURABLE)

        self.direct += 1
        task = asyncio.ensure_future(answer())
        self._held.add(task)
        task.add_done_callback(self._held.discard)

    def accepted(self, source: Source, messages: int, size_bytes: int) -> None:
        pass

    def took(self, source: Source, started_s: float) -> None:
        pass


class Conversation:
    """One connection to an application, or to a route beside it; time is set by the test."""

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        connections: Connections | None = None,
        route: DirectRoute | None = None,
    ) -> None:
        config = uvicorn.Config(app, loop="none", http=Protocol, ws="none", lifespan="off", log_config=None)
        config.load()
        self.now_s = 100.0
        self.connections = connections or Connections(limits, lambda: self.now_s)
        self.transport = MemoryTransport()
        self.protocol = Protocol(config, ServerState(), self.connections)
        self.connection: Protocol | DirectConnection = self.protocol
        if route is not None:
            self.protocol = protocol = DirectProtocol(config, ServerState(), self.connections, route)
            self.connection = protocol.connection
        self.connection.connection_made(cast("asyncio.Transport", self.transport))

    async def say(self, *parts: bytes) -> bytes:
        """Send bytes; return all that has been answered by then."""
        for part in parts:
            self.connection.data_received(part)
        return await self.heard()

    async def heard(self) -> bytes:
        """Return all that has been answered, once there is nothing left to do."""
        before, quiet = b"", 0
        while quiet < 20:
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.transport.written == before else 0
            before = self.transport.written
        return self.transport.written

    async def wait_s(self, seconds: float) -> bytes:
        """Let time pass; return all that has been answered by then."""
        self.now_s += seconds
        self.connections.look()
        return await self.heard()


def statuses(answers: bytes) -> list[int]:
    """Return the status of each answer."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


def last_problem(answers: bytes) -> dict[str, Any]:
    """Return the problem document that ends the answers, checked against its head."""
    *_, last = re.finditer(rb"HTTP/1\.1 \d{3} ", answers)
    head, _, body = answers[last.start() :].partition(b"\r\n\r\n")
    headers = {name: value for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:])}
    assert headers[b"content-type"] == b"application/problem+json"
    assert int(headers[b"content-length"]) == len(body)
    assert headers[b"connection"] == b"close"
    members: dict[str, Any] = json.loads(body)
    assert members["request_id"].encode() == headers[b"x-request-id"]
    assert members["status"] == int(head.split(b" ")[1])
    return members


def converse(
    talk: Callable[[Conversation, Application], Coroutine[Any, Any, None]],
    limits: Limits | None = None,
    *,
    direct: bool = False,
) -> None:
    """Run a conversation in an event loop of its own; `direct` gives the connection a route beside the application."""

    async def run() -> None:
        app = Application()
        conversation = Conversation(app, limits or Limits(), route=app.route() if direct else None)
        await cast("Awaitable[None]", talk(conversation, app))
        if not conversation.protocol.transport.is_closing():
            conversation.transport.close()
        conversation.connection.connection_lost(None)
        await asyncio.sleep(0)

    asyncio.run(run())
