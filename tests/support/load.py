"""A sender with a fixed rate that never waits for answers before it sends on, and remembers each."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import aiohttp
import msgspec

from tests.support.posts import body, user

# In each message; nothing of it may ever be logged.
PERSON = "person-of-the-load"
# The sender of the wire format waits 3 s; what takes longer is seen here as what it is.
_TIMEOUT_S = 20.0
_CONNECTIONS = 200


class Sent(msgspec.Struct):
    """One message; `status` is 0 where the connection broke."""

    number: int
    began_s: float
    took_ms: float
    status: int


def payload(number: int) -> bytes:
    """Return a message that tells its number."""
    return body(user(f"{PERSON}-{number}"), number=number)


def number_of(value: bytes) -> int:
    """Return the number that a message tells."""
    return int(json.loads(value)["number"])


class Load:
    """Posts numbered messages at a rate, from a thread of its own."""

    def __init__(self, url: str, rate_per_s: float, first: int = 0, make: Callable[[int], bytes] | None = None) -> None:
        self.sent: list[Sent] = []
        self.next = first
        self._url = url
        self._make = make or payload
        self._rate_per_s = rate_per_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> list[Sent]:
        """Send no more, wait for the answers and return all."""
        self._stopping.set()
        self._thread.join()
        return self.sent

    def acknowledged(self) -> set[int]:
        """Return the numbers that were answered 200."""
        return {sent.number for sent in self.sent if sent.status == 200}

    async def _run(self) -> None:
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        tasks: set[asyncio.Task[None]] = set()
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            due_s = time.monotonic()
            while not self._stopping.is_set():
                task = asyncio.create_task(self._post(session, self.next))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                self.next += 1
                due_s += 1 / self._rate_per_s
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await asyncio.gather(*tasks)

    async def _post(self, session: aiohttp.ClientSession, number: int) -> None:
        began_s = time.monotonic()
        status = 0
        try:
            async with session.post(
                self._url, data=self._make(number), headers={"Content-Type": "application/json"}
            ) as response:
                await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError):
            pass
        self.sent.append(Sent(number, began_s, (time.monotonic() - began_s) * 1000, status))


@contextmanager
def sending(url: str, rate_per_s: float, first: int = 0, make: Callable[[int], bytes] | None = None) -> Iterator[Load]:
    """Send while the block runs; afterwards every answer is there."""
    load = Load(url, rate_per_s, first, make)
    load.start()
    try:
        yield load
    finally:
        load.stop()


def quantile_ms(sent: Sequence[Sent], share: float) -> float:
    """Return the time within which a share of the answers came."""
    times = sorted(one.took_ms for one in sent)
    return times[min(len(times) - 1, int(share * len(times)))]
