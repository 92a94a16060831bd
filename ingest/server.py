"""The HTTP server: uvicorn on a socket of ours, stopped by our own signal."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable, Iterator
from typing import cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from ingest.accepting import Acceptor
from ingest.connections import Connections
from ingest.direct import DirectRoute
from ingest.direct_protocol import DirectProtocol
from ingest.limits import Limits
from ingest.protocol import Protocol
from ingest.tls import Certificates, CertificateWatch
from runtime.http_settings import LimitSettings
from runtime.management import port_taken
from runtime.service import StopSignal

_BACKLOG = 2048
_HANDSHAKE_TIMEOUT_S = 5.0
_TLS_CLOSE_TIMEOUT_S = 5.0
# For Kafka, the spool, and connections that are being made or ended.
_OTHER_FILES = 512

_log = structlog.get_logger()


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a bound socket that does not listen yet; `port` 0 takes a free one, `shared` lets workers bind it too.

    Raises:
        SegwireError: the address cannot be taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise port_taken("ingest", host, port, error) from None
    return listener


def url_of(listener: socket.socket, *, secure: bool = False) -> str:
    """Return the address that a socket is bound to as a URL."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def connection_limits(settings: LimitSettings) -> Limits:
    """Return what the configuration grants to connections."""
    return Limits(
        max_connections=settings.max_connections,
        max_head_bytes=settings.max_head_bytes,
        head_timeout_s=settings.head_timeout_ms / 1000,
        body_timeout_s=settings.body_timeout_ms / 1000,
        idle_timeout_s=settings.idle_timeout_ms / 1000,
    )


def allow_open_files(max_connections: int) -> None:
    """Raise the process's limit on open files to what so many connections need, as far as it may."""
    wanted = max_connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        _log.warning(
            "few_open_files_allowed",
            allowed=allowed,
            remedy=f"ingest.limits.max_connections wants {wanted}: raise the limit (ulimit -n), or lower the setting",
        )


class Server(uvicorn.Server):
    """Serves until the stop signal is set, then finishes what is in flight."""

    def __init__(
        self,
        app: ASGIApp,
        stop: StopSignal,
        drain_timeout_s: int,
        on_started: Callable[[], None],
        on_draining: Callable[[], None],
        *,
        limits: Limits | None = None,
        certificates: Certificates | None = None,
        route: DirectRoute | None = None,
    ) -> None:
        """Take the hooks: `on_started` runs when connections are answered, `on_draining` before they end.

        Without `certificates` it speaks plain HTTP; without `route` the application answers every request.
        """
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
                timeout_graceful_shutdown=drain_timeout_s,
            )
        )
        self._limits = limits or Limits()
        self._certificates = certificates
        self._route = route
        self._watch = None if certificates is None else CertificateWatch(certificates)
        self._connections: Connections | None = None
        self._stop = stop
        self._on_started = on_started
        self._on_draining = on_draining

    def let_go(self) -> None:
        """End each connection with its next answer, which says so: the sender then opens one elsewhere."""
        if self._connections is not None:
            self._connections.draining = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: the service's own handler sets the stop signal."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        allow_open_files(self._limits.max_connections)
        context = None if self._certificates is None else self._certificates.context
        self._connections = connections = Connections(self._limits, loop.time)
        acceptors = [
            Acceptor(
                listener,
                lambda: self._protocol(connections),
                backlog=_BACKLOG,
                context=context,
                handshake_timeout_s=_HANDSHAKE_TIMEOUT_S,
                close_timeout_s=_TLS_CLOSE_TIMEOUT_S,
            )
            for listener in sockets or []
        ]
        # All that the base class does with them is to close them.
        self.servers = cast("list[asyncio.base_events.Server]", acceptors)
        for acceptor in acceptors:
            acceptor.start()
        connections.start(loop)
        if self._watch is not None:
            self._watch.start()
        self.started = True
        self._on_started()

    def _protocol(self, connections: Connections) -> asyncio.Protocol:
        if self._route is None:
            return Protocol(self.config, self.server_state, connections)
        direct = DirectProtocol(self.config, self.server_state, connections, self._route)
        return cast("asyncio.Protocol", direct.connection)

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop; asked ten times a second."""
        return self._stop.is_set() or await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end idle connections, wait for the others up to the drain timeout."""
        self._on_draining()
        self.let_go()
        await super().shutdown(sockets)
        if self._connections is not None:
            self._connections.stop()
        if self._watch is not None:
            self._watch.stop()
