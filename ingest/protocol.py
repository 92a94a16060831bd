"""HTTP/1.1 as uvicorn speaks it, and what it leaves open: strict heads, limits, order, endings.

The base class parses and runs the application. Here a head is checked whole (RFC 9112), each phase of a request has its
limit, what is refused is a problem document in its turn, and an offer of another protocol is not taken.
"""

import asyncio
from collections.abc import Sized
from typing import Any, cast

import httptools
from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ingest.answers import WholeAnswers, last_answer, last_application
from ingest.connections import Connections
from ingest.limits import Overdue, Waiting
from ingest.problems import BAD_REQUEST, HEAD_TOO_LARGE, REQUEST_TIMEOUT, Problem

# Members of an enumeration are slow to look up.
_NEXT, _HEAD, _BODY, _ANSWER, _END = (Waiting.NEXT, Waiting.HEAD, Waiting.BODY, Waiting.ANSWER, Waiting.END)
# Requests sent ahead of their answers on one connection; nobody needs more, and each takes memory.
_AHEAD_MAX = 1000
_DISCARDED_BYTES_MAX = 8 << 20
_FRAMING = frozenset({b"expect", b"host", b"transfer-encoding"})


class _RefusedError(Exception):
    def __init__(self, problem: Problem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, config: Config, server_state: ServerState, connections: Connections) -> None:
        """Serve what `config` names; `connections` has the limits."""
        super().__init__(config, server_state, {})
        self.waiting = _HEAD
        self.since_s = connections.now_s
        self.unread_since_s: float | None = None
        self._others = connections
        self._max_head_bytes = connections.limits.max_head_bytes
        self._head_bytes = 0
        self._unfinished_bytes = 0
        self._in_head = False
        self._begun = False
        self._hosts = 0
        self._chunked = 0
        self._over = False
        self._closing = False
        self._discarded_bytes = 0
        self.headers = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the base class does
        """Take a connection, if there is a place for it."""
        self._answers = WholeAnswers(transport)
        super().connection_made(cast("asyncio.Transport", self._answers))
        self.flow = _Flow(transport, self.pipeline)
        if not self._others.add(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._others.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        if self._over:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _DISCARDED_BYTES_MAX:
                self.transport.close()
            return
        self._begun = False
        try:
            self._feed(data)
        except httptools.HttpParserCallbackError as error:
            refused = error.__context__
            if isinstance(refused, _RefusedError):
                self._refuse(refused.problem, str(refused))
            else:
                self._refuse(BAD_REQUEST, "The target is none that is served here")
        except httptools.HttpParserError as error:
            self._refuse(BAD_REQUEST, f"The request cannot be parsed: {error}")
        else:
            if self.waiting is _HEAD and not self._begun:
                self._unfinished_bytes += len(data)
                if self._unfinished_bytes > self._max_head_bytes:
                    self._refuse(HEAD_TOO_LARGE, self._above())

    def eof_received(self) -> bool:  # type: ignore[override] # as asyncio has it
        """Answer what is whole, although the sender has closed its side; return whether there is such a request."""
        cycle = self.cycle
        # Over TLS a side alone cannot be closed.
        if self.waiting is not _ANSWER or self.scheme == "https":
            return False
        cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        """Note that the sender does not read what it is answered."""
        self.unread_since_s = self._others.now_s
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that it does."""
        self.unread_since_s = None
        super().resume_writing()

    def on_message_begin(self) -> None:
        """Start a request; what the application is told of it is put together when its head is here."""
        self.waiting, self.since_s = _HEAD, self._others.now_s
        self._begun = self._in_head = True
        self._head_bytes = self._unfinished_bytes = self._hosts = self._chunked = 0
        self.url, self.expect_100_continue, self.headers = b"", False, []

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._head_bytes += len(url)
        if self._head_bytes > self._max_head_bytes:
            raise _RefusedError(HEAD_TOO_LARGE, self._above())
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those behind the body are counted, and left out."""
        self._head_bytes = head_bytes = self._head_bytes + len(name) + len(value) + 4
        if head_bytes > self._max_head_bytes:
            raise _RefusedError(HEAD_TOO_LARGE, self._above())
        if self.waiting is _BODY:
            return
        name = name.lower()
        if name in _FRAMING:
            self._note_framing(name, value)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Start the request, unless its head is to be read again."""
        if self.parser.should_upgrade():
            return
        if self._hosts != 1 or self._chunked or self.expect_100_continue:
            self._check_framing()
        if len(self.pipeline) >= _AHEAD_MAX:
            raise _RefusedError(BAD_REQUEST, f"There are {_AHEAD_MAX} requests ahead of this one")
        self.begin()
        self.waiting, self.since_s = _BODY, self._others.now_s
        self._in_head = False
        if self._closing or self._others.draining:
            self.cycle.keep_alive = False

    def begin(self) -> None:
        """Have the application answer the request whose head is here, in its turn."""
        url, expects, headers = self.url, self.expect_100_continue, self.headers
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; the application hears of it when there is a lot, or all."""
        if self.parser.should_upgrade() or self.cycle.response_complete:
            return
        self.cycle.body += body
        if len(self.cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        """End the request, unless its head is to be read again."""
        if self.parser.should_upgrade():
            return
        if self.cycle.response_complete:
            self.waiting, self.since_s = _NEXT, self._others.now_s
        else:
            self.waiting = _ANSWER
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        self._answers.flush()
        # Time counts only while the sender, not an earlier answer, is waited for.
        self.since_s = self._others.now_s
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.waiting is _ANSWER:
            self.waiting = _NEXT
            self._others.full = False

    def has_waited(self) -> bool:
        """Tell whether it is the sender that is waited for, and not an answer to an earlier request."""
        answered = self._answered()
        if self.waiting is _BODY:
            return not self.pipeline
        return self.waiting is _END or (answered and self.waiting is not _ANSWER)

    def end(self, reason: Overdue) -> None:
        """End it, with a word where a request has begun."""
        if reason is Overdue.READER:
            self.abort()
        elif reason is Overdue.BODY or (reason is Overdue.HEAD and self._in_head):
            self._refuse(REQUEST_TIMEOUT, "The rest of it did not come in time")
        else:
            self.transport.close()

    def abort(self) -> None:
        """End it at once."""
        self._answers.abort()

    def shutdown(self) -> None:
        """End it when the request that is being received or answered is done; at once where there is none."""
        if self._in_head and not self._over:
            self._closing = True
        elif self.waiting is _END:
            self.transport.close()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request."""
        self._refuse(BAD_REQUEST, msg)

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                if self.parser.get_method() == b"CONNECT":
                    self._refuse(BAD_REQUEST, "This is no proxy")
                    return
                data = self._head_without_offer() + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                # As in the base class: it leaves to the answer whether the connection goes on.
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def _head_without_offer(self) -> bytes:
        """Return the head of a request that offers an upgrade, as if it offered none (RFC 9110, section 7.8).

        httptools takes the body of such a request for the other protocol's first bytes: the message would be read as
        empty. Java's own client offers `h2c` with each first request over plain HTTP.
        """
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name not in {b"upgrade", b"http2-settings"}]
        return b"\r\n".join([*lines, b"", b""])

    def _above(self) -> str:
        return f"The request line and the headers have more than {self._max_head_bytes} bytes"

    def _note_framing(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        else:
            self._chunked += 1
            if self._chunked > 1 or value.lower() != b"chunked":
                raise _RefusedError(BAD_REQUEST, "The only Transfer-Encoding here is chunked, once")

    def _check_framing(self) -> None:
        """See that everyone on the way reads the same request out of these bytes (RFC 9112, sections 3.2 and 6.1)."""
        old = self.parser.get_http_version() == "1.0"
        if self._hosts > 1 or (self._hosts == 0 and not old):
            raise _RefusedError(BAD_REQUEST, f"There are {self._hosts} headers Host, not one")
        if old and self._chunked:
            raise _RefusedError(BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding")
        if old:
            self.expect_100_continue = False

    def _refuse(self, problem: Problem, detail: str) -> None:
        """Answer the request that is being received, in its turn, and end the connection."""
        detail = f"{detail}. {problem.remedy}"
        request_id = self._others.refuse(problem, dict(self.headers))
        cycle, receiving = self.cycle, self.waiting is _BODY
        self._over, self._in_head = True, False
        if self.pipeline or not (receiving or self._answered()):
            application = last_application(problem, detail, request_id)
            if receiving:
                self.pipeline.popleft()
            self.cycle = self._last_cycle()
            self.pipeline.appendleft((self.cycle, cast("Any", application)))
            self.waiting = _ANSWER
        elif receiving and cycle.response_started:
            self.transport.close()
        else:
            if receiving:
                cycle.disconnected = True
                cycle.message_event.set()
            self._end(last_answer(problem, detail, request_id))

    def _answered(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _last_cycle(self) -> RequestResponseCycle:
        scope = {"type": "http", "method": "POST", "http_version": "1.1", "headers": []}
        return self.new_cycle(scope, keep_alive=False)

    def new_cycle(self, scope: Scope, *, keep_alive: bool) -> RequestResponseCycle:
        """Return a cycle for a request whose body is here, or does not matter."""
        cycle = RequestResponseCycle(
            scope=cast("Any", scope),
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.more_body = False
        cycle.message_event.set()
        return cycle

    def _end(self, answer: bytes) -> None:
        """Write an answer, and give the sender the time to read it before the connection is gone."""
        self.waiting, self.since_s = _END, self._others.now_s
        self._answers.write(answer)
        self._answers.flush()
        self.flow.resume_reading()
        if self._answers.can_write_eof():
            self._answers.write_eof()


class _Flow(FlowControl):
    """Reads no further while requests wait for earlier answers: else whoever floods would fill the memory."""

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        if not self._pipeline:
            super().resume_reading()
