"""New connections on a real socket: how soon they are taken, and what happens where there is no room for them."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import uvloop

from ingest.accepting import Acceptor

NEWCOMERS = 300
LIMIT_S = 30.0


class Greeting(asyncio.Protocol):
    """Says a word to whoever is taken."""

    def __init__(self, taken: list[int], turns: list[int]) -> None:
        self._taken = taken
        self._turns = turns

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._taken.append(len(self._turns))
        transport.write(b"hello")  # type: ignore[attr-defined] # uvloop's transports are no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None


class Stage:
    """A listening socket on a loop whose turns are counted."""

    def __init__(self, listener: socket.socket) -> None:
        self.taken: list[int] = []
        """In which turn each connection was taken."""
        self.turns: list[int] = []
        self._loop = asyncio.get_running_loop()
        self.acceptor = Acceptor(listener, lambda: Greeting(self.taken, self.turns), backlog=1000)
        self.acceptor.start()
        self._count()

    async def until(self, taken: int) -> None:
        async with asyncio.timeout(LIMIT_S):
            while len(self.taken) < taken:  # noqa: ASYNC110 - each look is a turn
                await asyncio.sleep(0)

    def _count(self) -> None:
        self.turns.append(0)
        self._loop.call_soon(self._count)


class Crowded(socket.socket):
    """A socket of a process that has no room for another one, for a while."""

    refusals = 3

    def accept(self) -> tuple[socket.socket, Any]:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


@contextmanager
def listening(kind: type[socket.socket] = socket.socket) -> Iterator[socket.socket]:
    with kind(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_all_that_wait_are_taken_in_a_few_turns() -> None:
    async def scenario() -> None:
        with listening() as listener, ExitStack() as newcomers:
            stage = Stage(listener)
            address = listener.getsockname()
            connected = [newcomers.enter_context(socket.create_connection(address)) for _ in range(NEWCOMERS)]
            began = len(stage.turns)
            await stage.until(NEWCOMERS)
            assert stage.taken[-1] - began < 20
            for connection in connected:
                assert await asyncio.to_thread(connection.recv, 5) == b"hello"
            stage.acceptor.close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address)
            connected[0].close()

    play(scenario)


def test_without_room_for_another_socket_newcomers_wait_and_are_taken_later() -> None:
    async def scenario() -> None:
        with listening(Crowded) as listener:
            stage = Stage(listener)
            with socket.create_connection(listener.getsockname()) as newcomer:
                await stage.until(1)
                assert await asyncio.to_thread(newcomer.recv, 5) == b"hello"
            stage.acceptor.close()

    play(scenario)
