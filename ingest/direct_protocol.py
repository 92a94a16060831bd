"""Plain messages that came in pieces, or with a head of a new shape: parsed first, then answered as all plain ones."""

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.server import ServerState

from ingest.connections import Connections
from ingest.direct import DirectConnection, DirectRequest, DirectRoute
from ingest.hot_path import CONCLUDED, Concluded
from ingest.limits import Waiting
from ingest.problems import Refusal
from ingest.protocol import Protocol
from ingest.recording import Source
from ingest.request import Head, check_head

_ANSWER = Waiting.ANSWER


class DirectProtocol(Protocol):
    """What a direct connection leaves to the parser; hands plain messages to it, and all else to the application."""

    def __init__(self, config: Config, server_state: ServerState, connections: Connections, route: DirectRoute) -> None:
        """Serve what `config` names, and `route`; the transport is to talk to `connection`."""
        super().__init__(config, server_state, connections)
        self.connection = DirectConnection(self, server_state, connections, route)
        self._route = route
        self._direct: DirectRequest | None = None

    def begin(self) -> None:
        """Begin a message here, anything else in the application."""
        tally = self._route.sources.get(self.url)
        head = None if tally is None else self._plain_head(tally.source)
        if tally is None or head is None:
            super().begin()
        else:
            self._direct = DirectRequest(self.connection, tally, self.url, self.headers, head)
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
