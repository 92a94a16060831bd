"""The HTTP server: uvicorn on a socket of ours, stopped by our own signal."""

import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from ingest.protocol import Protocol
from runtime.management import port_taken
from runtime.service import StopSignal

_BACKLOG = 2048
# Longer than load balancers keep an idle connection (60 s): who closes first must not be us, mid-request.
_KEEP_ALIVE_S = 75


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket that does not listen yet; `port` 0 takes a free one.

    Raises:
        SegwireError: the address cannot be taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise port_taken("ingest", host, port, error) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address that a socket is bound to as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Serves until the stop signal is set, then finishes what is in flight."""

    def __init__(
        self,
        app: ASGIApp,
        stop: StopSignal,
        drain_timeout_s: int,
        on_started: Callable[[], None],
        on_draining: Callable[[], None],
    ) -> None:
        """Take the hooks: `on_started` runs when connections are answered, `on_draining` before they end."""
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=drain_timeout_s,
            )
        )
        self._stop = stop
        self._on_started = on_started
        self._on_draining = on_draining

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: the service's own handler sets the stop signal."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        self._on_started()

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop; asked ten times a second."""
        return self._stop.is_set() or await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end idle connections, wait for the others up to the drain timeout."""
        self._on_draining()
        await super().shutdown(sockets)
