"""Senders that drip: many connections that send a byte now and then, from a process of their own."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_EVERY_S = 0.5
_HEAD = b"POST /v1/aam/dev HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"


@contextmanager
def dripping(url: str, connections: int) -> Iterator[None]:
    """Drip over so many connections for as long as the block lasts."""
    address = urlsplit(url)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.support.slow_senders",
            str(address.hostname),
            str(address.port),
            str(connections),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"all drip\n"
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


async def _drip(host: str, port: int, begun: asyncio.Semaphore) -> None:
    first = True
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, port)
            # Half of them within the head, half within the body.
            writer.write(_HEAD if id(writer) // 16 % 2 else _HEAD[:40])
            if first:
                begun.release()
                first = False
            while not reader.at_eof():
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(_EVERY_S)
            writer.close()
        except OSError:
            continue


async def _main(host: str, port: int, connections: int) -> None:
    begun = asyncio.Semaphore(0)
    senders = [asyncio.create_task(_drip(host, port, begun)) for _ in range(connections)]
    for _ in senders:
        await begun.acquire()
    sys.stdout.write("all drip\n")
    sys.stdout.flush()
    await asyncio.gather(*senders)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
