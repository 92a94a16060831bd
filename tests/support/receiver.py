"""A partner who receives: a real HTTP server that takes messages, or misbehaves as a test asks it to."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine
from typing import Literal, NamedTuple

from schemas.post import Post
from schemas.post_reading import parse_post

LIMIT_S = 30.0

Key = tuple[str, str | None, str]
Fault = Literal["none", "close-mid-body", "hang", "drip", "drop"]


class Request(NamedTuple):
    """A request as it came, and when, on the loop's clock."""

    path: str
    headers: dict[str, str]
    body: bytes
    at_s: float

    @property
    def post(self) -> Post:
        return parse_post(self.body)

    @property
    def users(self) -> set[str]:
        return {user.aam_uuid for user in self.post.users}


class Reply(NamedTuple):
    """What is answered, `after_s`; or a fault in its place."""

    status: int = 200
    after_s: float = 0.0
    body: bytes = b"{}"
    headers: tuple[str, ...] = ()
    fault: Fault = "none"


Behaviour = Callable[[Request], Reply]


def fine(_: Request) -> Reply:
    return Reply()


class Receiver:
    """Serves until it is closed. What it answered 200 it keeps: the last writer wins, and Status 0 at equal times."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.behaviour: Behaviour = fine
        self.requests: list[Request] = []
        self.answered: list[int] = []
        self.connections = 0
        self.held: dict[Key, tuple[int, int]] = {}
        self.changes: list[tuple[Key, int]] = []
        self._tls = tls
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver", daemon=True)
        self._thread.start()
        self.port = self._call(self._start(0))

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}/segments"

    def messages(self) -> list[Request]:
        """The requests that carried messages."""
        return [request for request in self.requests if request.path == "/segments"]

    def memberships(self) -> dict[Key, int]:
        """Status by user, partner ID and segment, as the messages that were answered 200 say."""
        return {key: status for key, (status, _) in self.held.items()}

    def go_away(self) -> None:
        """Refuse connections, as a machine without the service does."""
        self._call(self._stop())

    def come_back(self) -> None:
        self._call(self._start(self.port))

    def close(self) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    def _call(self, coroutine: Coroutine[object, object, int]) -> int:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(LIMIT_S)

    async def _start(self, port: int) -> int:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._connected, self._host, port, ssl=self._tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def _stop(self) -> int:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return 0

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(head[0].split(" ")[1], headers, body, self._loop.time())
        self.requests.append(request)
        reply = self.behaviour(request)
        await asyncio.sleep(reply.after_s)
        return await self._reply(writer, request, reply)

    async def _reply(self, writer: asyncio.StreamWriter, request: Request, reply: Reply) -> bool:
        if reply.fault == "drop":
            return False
        if reply.fault == "hang":
            await asyncio.sleep(LIMIT_S)
        head = [f"HTTP/1.1 {reply.status} X", f"Content-Length: {len(reply.body)}", *reply.headers, "", ""]
        writer.write("\r\n".join(head).encode())
        if reply.fault == "close-mid-body":
            writer.write(reply.body[:1])
            await writer.drain()
            return False
        if reply.fault == "drip":
            for byte in reply.body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.5)
        else:
            writer.write(reply.body)
        await writer.drain()
        self.answered.append(reply.status)
        if reply.status == 200 and request.path == "/segments":
            self._take(request.post)
        return True

    def _take(self, post: Post) -> None:
        assert post.problem is None, post.problem
        assert not post.bad_users, post.bad_users
        for user in post.users:
            for segment in user.segments:
                key = (user.aam_uuid, None if user.partner is None else user.partner.uuid, segment.segment_id)
                status = int(segment.status == "ACTIVE")
                known, at_ms = self.held.get(key, (-1, -1))
                if (segment.verified_at, -status) > (at_ms, -known) or known < 0:
                    self.held[key] = (status, segment.verified_at)
                    if status != known:
                        self.changes.append((key, status))
