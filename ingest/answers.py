"""How answers are written: whole, and the last one so that its sender can read it."""

import asyncio
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from ingest.problems import HeaderList, Problem, response

_HEAD = b"HTTP/1.1 "
_CONTINUE = b"HTTP/1.1 100 "


class WholeAnswers:
    """A transport that writes an answer's head together with the first of its body: one system call, one packet.

    ASGI asks for the same: nothing of an answer is sent before the first of its body.
    """

    __slots__ = (
        "_held",
        "_transport",
        "_write",
        "can_write_eof",
        "get_extra_info",
        "is_closing",
        "pause_reading",
        "resume_reading",
        "write_eof",
    )

    def __init__(self, transport: asyncio.Transport) -> None:
        """Wrap `transport`; what is not about writing goes straight to it."""
        self._transport = transport
        self._write = transport.write
        self._held = b""
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.can_write_eof = transport.can_write_eof
        self.write_eof = transport.write_eof

    def write(self, data: bytes) -> None:
        """Hold a head; write everything else, after what is held."""
        if self._held:
            data = self._held + data
            self._held = b""
            self._write(data)
        elif data.startswith(_HEAD) and not data.startswith(_CONTINUE):
            self._held = data
        else:
            self._write(data)

    def flush(self) -> None:
        """Write a head that has no body."""
        if self._held:
            self.write(b"")

    def close(self) -> None:
        """Write what is held and close."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what is not written yet is lost."""
        self._transport.abort()


def last_answer(problem: Problem, detail: str, request_id: str) -> bytes:
    """Return a refusal as it goes over the wire, after which the connection ends."""
    headers, body = _last(problem, detail, request_id)
    lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", body])


def last_application(problem: Problem, detail: str, request_id: str) -> ASGIApp:
    """Return an application that refuses so whatever it is asked: for what waits behind other requests."""

    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers, body = _last(problem, detail, request_id)
        await send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return refuse


def _last(problem: Problem, detail: str, request_id: str) -> tuple[HeaderList, bytes]:
    headers, body = response(problem, detail, request_id)
    return [*headers, (b"connection", b"close")], body
