"""A TCP proxy before every broker, which can delay or lose what is said about the end of a transaction.

Of Kafka's protocol it reads only what it needs: frames begin with their length (4 bytes); a request's header with the
API key, its version (2 bytes each) and a correlation ID (4 bytes); an answer's with that correlation ID.
"""

import asyncio
import contextlib
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Literal

from segwire.embedded.kafka.ports import HOST

END_TXN = 26
_LENGTH = struct.Struct(">i")
_REQUEST = struct.Struct(">hhi")

Trouble = Literal["delay-answer", "lose-answer", "lose-request", "delay-request"]


class EndTransactionProxy:
    """One listening port per broker; `trouble` is what happens to the next EndTxn requests or their answers."""

    def __init__(self, targets: list[int]) -> None:
        self._targets = targets
        self._trouble: Trouble | None = None
        self._left = 0
        self._delay_s = 0.0
        self._servers: list[asyncio.Server] = []
        self.ports: list[int] = []
        self.met = 0
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="proxy", daemon=True)
        self._thread.start()
        started.wait()

    def arm(self, trouble: Trouble, count: int, delay_s: float) -> None:
        """Trouble the next `count` ends of transactions."""
        self._delay_s = delay_s
        self._left = count
        self._trouble = trouble

    def calm(self) -> None:
        """Let everything pass from now on."""
        self._trouble = None
        self._left = 0

    def troubled(self) -> bool:
        """Tell whether all that was asked for has happened."""
        return self._left == 0

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        started.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        for target in self._targets:

            def serve(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int = target
            ) -> None:  # fmt: skip
                self._spawn(self._serve(reader, writer, target))

            server = await asyncio.start_server(serve, HOST, 0)
            self._servers.append(server)
            self.ports.append(int(server.sockets[0].getsockname()[1]))

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int) -> None:
        try:
            to_broker = await asyncio.open_connection(HOST, target)
        except OSError:
            writer.close()
            return
        marked: dict[int, Trouble] = {}
        ways = [
            asyncio.ensure_future(self._requests(reader, to_broker[1], marked)),
            asyncio.ensure_future(self._answers(to_broker[0], writer, marked)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, to_broker[1]):
                end.close()

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, marked: dict[int, Trouble]
    ) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                frame = await _frame(reader)
                key, _, correlation = _REQUEST.unpack_from(frame, _LENGTH.size)
                trouble = self._next_trouble() if key == END_TXN else None
                if trouble == "lose-request":
                    return
                if trouble == "delay-request":
                    await asyncio.sleep(self._delay_s)
                elif trouble is not None:
                    marked[correlation] = trouble
                writer.write(frame)
                await writer.drain()

    async def _answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, marked: dict[int, Trouble]
    ) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                frame = await _frame(reader)
                (correlation,) = _LENGTH.unpack_from(frame, _LENGTH.size)
                trouble = marked.pop(correlation, None)
                if trouble == "lose-answer":
                    return
                if trouble == "delay-answer":
                    await asyncio.sleep(self._delay_s)
                writer.write(frame)
                await writer.drain()

    def _next_trouble(self) -> Trouble | None:
        self.met += 1
        if self._left <= 0:
            return None
        self._left -= 1
        return self._trouble


async def _frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(_LENGTH.size)
    return head + await reader.readexactly(_LENGTH.unpack(head)[0])
