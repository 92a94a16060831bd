"""A process with a spool, to be killed, starved of disk or given failing calls.

`python -m tests.support.spool_child MODE DIRECTORY [FIRST]`; what is durable or done is told on standard output, one
line each, at once. Modes: `append` for ever, `replay` for ever with small steps, `outcomes` of appends one by one.
"""

import asyncio
import os
import sys
from pathlib import Path

import structlog

from ingest.spool.errors import SpoolError
from ingest.spool.spool import Spool
from ingest.spool.state import SpoolLimits
from tests.support.spool import number_of, open_spool, spool_record

SENDERS = 8
UNSAVED_MARKS_MAX = 20
LIMITS = SpoolLimits(segment_bytes=20_000, unsaved_marks_max=UNSAVED_MARKS_MAX, cursor_interval_ms=20)


def tell(text: str) -> None:
    os.write(1, f"{text}\n".encode())


async def append(spool: Spool, first: int) -> None:
    """Append without an end; tell each number once it is durable."""

    async def sender(number: int) -> None:
        while True:
            await spool.append(spool_record(number, 50 + number % 400))
            tell(str(number))
            number += SENDERS

    await asyncio.gather(*(sender(first + i) for i in range(SENDERS)))


async def replay(spool: Spool) -> None:
    """Replay; tell each number before it is marked, as if Kafka had it then."""
    while batch := await spool.replay(records_max=5):
        for spooled in batch:
            tell(str(number_of(spooled.record)))
            spool.mark_done(spooled.position)
    tell("end")


async def outcomes(spool: Spool, count: int) -> None:
    """Append one by one; tell how each ended, and the state after it."""
    for number in range(count):
        try:
            await spool.append(spool_record(number))
        except SpoolError as error:
            outcome = type(error).__name__
        else:
            outcome = "durable"
        tell(f"{number} {outcome} {spool.state().level.value}")
    state = await spool.probe()
    tell(f"probe {state.level.value}")
    await spool.close()


async def main(mode: str, directory: Path, argument: int) -> None:
    spool = await open_spool(directory, LIMITS)
    tell("open")
    if mode == "append":
        await append(spool, argument)
    elif mode == "replay":
        await replay(spool)
    else:
        await outcomes(spool, argument)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0))
