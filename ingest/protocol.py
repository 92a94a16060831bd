"""HTTP/1.1 as uvicorn speaks it, but for requests that offer another protocol, and for how answers are written."""

import asyncio
from typing import cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD = b"HTTP/1.1 "
_CONTINUE = b"HTTP/1.1 100 "


class WholeAnswers:
    """A transport that writes an answer's head together with the first of its body: one system call, one packet.

    ASGI asks for the same: nothing of an answer is sent before the first of its body.
    """

    __slots__ = ("_held", "_transport", "_write", "get_extra_info", "is_closing", "pause_reading", "resume_reading")

    def __init__(self, transport: asyncio.Transport) -> None:
        """Wrap `transport`; what is not about writing goes straight to it."""
        self._transport = transport
        self._write = transport.write
        self._held = b""
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

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


class Protocol(HttpToolsProtocol):
    """Answers a request that offers an upgrade as if it offered none (RFC 9110, section 7.8).

    httptools takes the body of such a request for the other protocol's first bytes: the message would be read as empty.
    Java's own client offers `h2c` with each first request over plain HTTP.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the base class does
        """Take a connection."""
        self._answers = WholeAnswers(transport)
        super().connection_made(cast("asyncio.Transport", self._answers))

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        self._answers.flush()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        self._unset_keepalive_if_required()
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                if self.parser.get_method() == b"CONNECT":
                    self.send_400_response("This is no proxy.")
                    return
                data = self._head_without_offer() + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                # As in the base class: it leaves to the answer whether the connection goes on.
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
                return
            else:
                return

    def on_headers_complete(self) -> None:
        """Start the request, unless its head is to be read again."""
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request, unless its head is to be read again."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name not in {b"upgrade", b"http2-settings"}]
        return b"\r\n".join([*lines, b"", b""])
