"""Chooses ports on the loopback interface."""

import errno
import socket
from collections.abc import Callable, Collection

import psutil

from segwire.embedded.kafka.cache import default_cache_dir
from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.port_claims import claim

HOST = "127.0.0.1"
FIRST_PORT = 19092
TRIED_PORTS = 200


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As Java does it: connections of an earlier server that still fade away are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True


def take(port: int) -> bool:
    """Tell whether a server of this process may listen on the port, now and for as long as the process lives."""
    return is_free(port) and claim(port, default_cache_dir().parent / "ports")


def any_free_port() -> int:
    """Let the system choose a port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def choose_port(
    wanted: int | None,
    remembered: int | None,
    avoided: Collection[int] = (),
    *,
    free: Callable[[int], bool] = take,
    first: int = FIRST_PORT,
    what: str = "Kafka",
) -> int:
    """Choose the port for clients.

    Args:
        wanted: the port that a person named: that one or an error; 0 for any.
        remembered: the one of the last start on the same data, taken where it is free.
        avoided: ports that seemed free and were not.
        free: tells whether a port is free, and keeps it then.
        first: where the search begins.
        what: what the port is for, in messages.

    Raises:
        EmbeddedKafkaError: the named port is in use, or all of those tried are.
    """
    if wanted == 0:
        return any_free_port()
    if wanted is not None:
        if not free(wanted):
            raise busy_port(wanted, what)
        return wanted
    candidates: list[int] = [] if remembered is None else [remembered]
    last = first + TRIED_PORTS - 1
    candidates += range(first, last + 1)
    for port in candidates:
        if port not in avoided and free(port):
            return port
    raise EmbeddedKafkaError(
        f"No port from {first} to {last} on {HOST} is free for {what}. Name one that is: --port PORT, or 0 for any"
    )


def busy_port(port: int, what: str = "Kafka") -> EmbeddedKafkaError:
    """Explain that a named port is in use, and by whom where that can be seen."""
    return EmbeddedKafkaError(
        f"Port {port} on {HOST}, wanted for {what}, is in use{_listener(port)}. "
        "Stop what listens there, or name another one: --port PORT, or 0 for any"
    )


def _listener(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (psutil.Error, OSError):
        pass
    return ""
