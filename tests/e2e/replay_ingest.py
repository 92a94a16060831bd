"""Prints a digest of what the endpoint answers and stores of made-up requests, and whether it is compiled.

Run by the interpreter of whichever installation is to be looked at; needs nothing else from the tests.
"""

import asyncio
import gzip
import hashlib
import logging
import random
import re
import sys
from typing import Any, cast

import structlog
import uvicorn
from uvicorn.server import ServerState

from ingest import client, connections, direct, partitions, plain, publisher, recording, request
from ingest.admission import Verdict
from ingest.authentication import signatures
from ingest.client import Record
from ingest.connections import Connections
from ingest.direct import DirectRoute
from ingest.direct_protocol import DirectProtocol
from ingest.hot_path import HotPath
from ingest.limits import Limits
from ingest.publisher import Publisher, Waiter
from ingest.recording import Source
from ingest.request import RequestIds
from runtime import clock
from runtime.secrets import Secret
from schemas.topics import TopicNames

CONNECTIONS, REQUESTS = 150, 8
KEY = b"a key of the sender's and ours"
COMPILED = (client, clock, connections, direct, partitions, plain, publisher, recording, request, signatures)
VERDICTS = (*[Verdict.DURABLE] * 8, Verdict.NO_DURABLE_STORE, Verdict.TOO_LARGE)


class StoppedClock:
    """Says always the same."""

    def now_ms(self) -> int:
        return 1_700_000_000_000

    def monotonic_s(self) -> float:
        return 100.0


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.written += b"<end>"

    def pause_reading(self) -> None:
        self.written += b"<paused>"

    def resume_reading(self) -> None:
        self.written += b"<resumed>"

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default


class Store:
    """Stores what it is given, or not, as the dice say."""

    def __init__(self, dice: random.Random) -> None:
        self.records: list[Record] = []
        self._dice = dice

    async def publish(self, record: Record) -> Verdict:
        self.records.append(record)
        return self._dice.choice(VERDICTS)

    def submit(self, record: Record, waiter: Waiter) -> None:
        self.records.append(record)
        asyncio.get_running_loop().call_soon(waiter.set_result, self._dice.choice(VERDICTS))


def _request(dice: random.Random) -> bytes:
    """Return a request: mostly a plain one, some that are not, some that are none."""
    bodies = [b'{"Users":[]}', b'{"Users":[{"AAM_UUID":"1"}]}', b'{"Users":7}', b"{", b" " * 70_000 + b"[]"]
    (body,) = dice.choices(bodies, [9, 9, 1, 1, 1])
    more = [b"X-Request-Id: r-1", b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            b"Connection: close", b"Expect: 100-continue", b"Upgrade: h2c", b"X-Other: a b"]  # fmt: skip
    if dice.random() < 0.1:
        body, more = gzip.compress(body, mtime=0), [b"Content-Encoding: gzip"]
    signature = signatures.sign(KEY if dice.random() < 0.9 else b"other", "sha1", body)
    lines = [b"POST /v1/aam/dev HTTP/1.1", b"Host: x", b"Content-Type: application/json", b"X-Signature: " + signature,
             b"Content-Length: %d" % len(body), *(dice.sample(more, 1) if dice.random() < 0.3 else [])]  # fmt: skip
    whole = b"\r\n".join([*lines, b"", body])
    if dice.random() < 0.05:
        at = dice.randrange(len(whole))
        whole = whole[:at] + dice.randbytes(1) + whole[at + 1 :]
    return whole


async def _heard(transport: Transport) -> bytes:
    before, quiet = b"", 0
    while quiet < 20:
        await asyncio.sleep(0)
        quiet = quiet + 1 if transport.written == before else 0
        before = transport.written
    return before


async def _talk(hot_path: HotPath, store: Store, ids: RequestIds, dice: random.Random) -> bytes:
    """Have a conversation; return all that was answered."""
    config = uvicorn.Config(hot_path, loop="none", ws="none", lifespan="off", log_config=None)
    config.load()
    route = DirectRoute(hot_path, cast("Publisher", store), StoppedClock(), ids)
    others = Connections(Limits(), StoppedClock().monotonic_s)
    connection = DirectProtocol(config, ServerState(), others, route).connection
    transport = Transport()
    connection.connection_made(cast("asyncio.Transport", transport))
    for _ in range(REQUESTS):
        sent = b"".join(_request(dice) for _ in range(dice.choice([1, 1, 1, 2])))
        cut = dice.choice([len(sent), len(sent), dice.randrange(len(sent))])
        for piece in (sent[:cut], sent[cut:]):
            if piece and not transport.closed:
                connection.data_received(piece)
        for happens in (connection.pause_writing, connection.resume_writing, connection.eof_received):
            if dice.random() < 0.1 and not transport.closed:
                happens()
        if dice.random() < 0.8:
            await _heard(transport)
    answered = await _heard(transport)
    connection.connection_lost(None)
    await asyncio.sleep(0)
    return answered


def _nameless(text: bytes) -> bytes:
    """Each process names requests its own way."""
    return re.sub(rb"[0-9a-f]{12}-([0-9]+)", rb"name-\1", text)


async def _digest() -> str:
    dice, digest, ids = random.Random(5), hashlib.sha256(), RequestIds()
    for _ in range(CONNECTIONS):
        store = Store(dice)
        keys = [signatures.SigningKey(Secret("a file", KEY))]
        signed = signatures.SignedRequests("X-Signature", "sha1", keys, StoppedClock())
        sources = {"dev": Source("dev", 100_000, signed)}
        hot_path = HotPath(sources, cast("Publisher", store), TopicNames(), StoppedClock(), ids)
        digest.update(_nameless(await _talk(hot_path, store, ids, dice)))
        for record in store.records:
            digest.update(_nameless(repr((record.topic, record.value, record.headers)).encode()))
    return digest.hexdigest()


def main() -> None:
    """Have many conversations."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    digest = asyncio.run(_digest())
    interpreted = [(each.__file__ or "").endswith(".py") for each in COMPILED]
    built = "python" if all(interpreted) else "half" if any(interpreted) else "compiled"
    sys.stdout.write(f"{digest} {built}\n")


if __name__ == "__main__":
    main()
