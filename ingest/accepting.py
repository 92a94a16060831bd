"""Takes new connections: all that wait, not one for each turn of the loop.

libuv takes one a turn. While many connections are busy a turn is long, so that those of a spike's newcomers who come
last would wait longer than a sender does.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable

import structlog

# More are left to the next turn: those who are served already must not wait long.
_A_TURN_MAX = 256
_PAUSE_S = 0.25
# The process, or the machine, has no room for another socket.
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = structlog.get_logger()


class Acceptor:
    """Serves what connects to one listening socket, from `start` to `close`."""

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        backlog: int,
        context: ssl.SSLContext | None = None,
        handshake_timeout_s: float | None = None,
        close_timeout_s: float | None = None,
    ) -> None:
        """Take a bound socket; with a `context` every connection begins with a handshake, in the time given."""
        self._listener = listener
        self._make_protocol = make_protocol
        self._backlog = backlog
        self._context = context
        self._handshake_timeout_s = handshake_timeout_s if context else None
        self._close_timeout_s = close_timeout_s if context else None
        self._loop = asyncio.get_running_loop()
        self._beginning: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._is_told = False

    def start(self) -> None:
        """Listen."""
        self._listener.setblocking(False)
        self._listener.listen(self._backlog)
        self._watch()

    def close(self) -> None:
        """Listen no more; connections that were taken go on."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    async def wait_closed(self) -> None:
        """Return at once: nothing of it outlives `close`."""

    def _watch(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._take)

    def _take(self) -> None:
        for _ in range(_A_TURN_MAX):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self._wait_for_room(error)
                    return
                continue  # it was gone before it was taken
            connection.setblocking(False)
            task = self._loop.create_task(self._begin(connection))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    def _wait_for_room(self, error: OSError) -> None:
        """Look again soon: whoever waits is in the kernel's queue meanwhile."""
        if not self._is_told:
            self._is_told = True
            _log.error("connections_not_taken", error=error.strerror,
                       remedy="raise the limit on open files (ulimit -n), or start more workers")  # fmt: skip
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(_PAUSE_S, self._watch)

    async def _begin(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._make_protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._handshake_timeout_s,
                ssl_shutdown_timeout=self._close_timeout_s,
            )
        except OSError:
            # Its handshake failed or took too long; whoever it was has been told, or is gone.
            connection.close()
