"""Talks ASGI to an application without a server: what is sent, what comes back."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message

HeaderPairs = Sequence[tuple[str, str]]
JSON: HeaderPairs = [("content-type", "application/json")]


class Answer(msgspec.Struct):
    """What an application answered; status 0: nothing. `unread` counts the pieces that it did not take."""

    status: int
    headers: dict[str, str]
    body: bytes
    unread: int

    def json(self) -> dict[str, Any]:
        """Return the body's members."""
        members: dict[str, Any] = json.loads(self.body)
        return members


def request_scope(method: str, path: str, headers: HeaderPairs) -> dict[str, Any]:
    """Return the scope of a request as a server makes it."""
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": pairs,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


def pieces(*parts: bytes, complete: bool = True) -> list[Message]:
    """Return the messages of a body in parts; not complete: the sender goes away after them."""
    messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if complete:
        messages[-1]["more_body"] = False
    else:
        messages.append({"type": "http.disconnect"})
    return messages


async def ask(app: ASGIApp, method: str, path: str, headers: HeaderPairs, body: Iterable[Message]) -> Answer:
    """Send one request and return the answer."""
    left = list(body)
    answer = Answer(0, {}, b"", 0)

    async def receive() -> Message:
        await asyncio.sleep(0)
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert answer.status == 0
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    await app(request_scope(method, path, headers), receive, send)
    answer.unread = len(left)
    return answer


def ask_once(
    app: ASGIApp, method: str, path: str, headers: HeaderPairs = (), body: Iterable[Message] | bytes = b""
) -> Answer:
    """Send one request in an event loop of its own."""
    messages = pieces(body) if isinstance(body, bytes) else body
    return asyncio.run(ask(app, method, path, headers, messages))
