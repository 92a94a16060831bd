"""Senders that start a batch at the same moment, from a process of their own: each has its messages and connections."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import cast
from urllib.parse import urlsplit

import msgspec
import uvloop

from tests.support.posts import body, user

USERS_PER_MESSAGE = 10

_OK = b"HTTP/1.1 200"


class Spike(msgspec.Struct, frozen=True):
    """How a spike went; `names` of the requests that were answered 200 begin with `prefix` and go on with a number."""

    answered_200: int
    other_statuses: list[str]
    took_s: float
    p50_ms: float
    p99_ms: float
    longest_ms: float
    sender_cpu_s: float


def spike(url: str, *, senders: int, messages: int, connections: int) -> Spike:
    """Have every sender send its messages, each over its connections, as fast as it is answered."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.batch_senders", url, str(senders), str(messages), str(connections)],
        stdout=subprocess.PIPE,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Spike)


def request_id(number: int) -> str:
    """Return the name of the request with a message's number."""
    return f"spike-{number:010}"


class _Sender:
    """One sender: what it has left to send."""

    def __init__(self, first: int, messages: int) -> None:
        users = [user(f"{first:010}{number:028}") for number in range(USERS_PER_MESSAGE)]
        content = body(*users)
        head = (
            "POST /v1/aam/dev HTTP/1.1\r\nHost: ingest\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\nX-Request-Id: spike"
        ).encode()
        self._before, self._after = head, b"\r\n" + content
        self.numbers: Iterator[int] = iter(range(first, first + messages))

    def next_request(self) -> bytes | None:
        """Return a request, None after the last."""
        number = next(self.numbers, None)
        return None if number is None else b"%b-%010d\r\n%b" % (self._before, number, self._after)


class _Connection(asyncio.Protocol):
    """Sends the next message when the one before was answered; the first one's time includes the connection's."""

    def __init__(self, sender: _Sender, took_ms: list[float], others: list[str], ended: asyncio.Future[None]) -> None:
        self._sender = sender
        self._took_ms = took_ms
        self._others = others
        self._ended = ended
        self._answer = b""
        self._began_s = monotonic()
        self._sent_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()
        self._sent_s = self._began_s

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, answered = self._answer.partition(b"\r\n\r\n")
        if not found or len(answered) < int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0]):
            return
        self._answer = b""
        self._took_ms.append((monotonic() - self._sent_s) * 1000)
        if not head.startswith(_OK):
            self._others.append(head.split(b" ")[1].decode())
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._others.append(f"connection lost: {exc}")
            self._ended.set_result(None)

    def _next(self) -> None:
        request = self._sender.next_request()
        if request is None:
            self._ended.set_result(None)
            self._transport.close()
            return
        self._sent_s = monotonic()
        self._transport.write(request)


async def _main(url: str, senders: int, messages: int, connections: int) -> Spike:
    loop = asyncio.get_running_loop()
    address = urlsplit(url)
    host, port = address.hostname, address.port
    assert host is not None
    assert port is not None
    took_ms: list[float] = []
    others: list[str] = []
    ended: list[asyncio.Future[None]] = []
    connecting = []
    began_s = monotonic()
    for number in range(senders):
        sender = _Sender(number * messages, messages)
        for _ in range(connections):
            ended.append(loop.create_future())
            make = partial(_Connection, sender, took_ms, others, ended[-1])
            connecting.append(loop.create_connection(make, host, port))
    await asyncio.gather(*connecting)
    await asyncio.gather(*ended)
    took_s = monotonic() - began_s
    took_ms.sort()
    return Spike(
        answered_200=len(took_ms) - len(others),
        other_statuses=others[:20],
        took_s=took_s,
        p50_ms=took_ms[len(took_ms) // 2],
        p99_ms=took_ms[len(took_ms) * 99 // 100],
        longest_ms=took_ms[-1],
        sender_cpu_s=sum(os.times()[:2]),
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(_main(sys.argv[1], *(int(argument) for argument in sys.argv[2:])))
    sys.stdout.buffer.write(msgspec.json.encode(found))
