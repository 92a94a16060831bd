"""What tests of the spool on real files have in common: running, waiting, looking at files and gauges."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TypeVar

from prometheus_client import REGISTRY

from ingest.spool.record import Position
from ingest.spool.spool import Spool
from ingest.spool.state import SpoolLimits
from tests.support.spool import (
    open_spool,
    spool_record,
)

LIMIT_S = 60
SMALL = SpoolLimits(segment_bytes=2000, unsaved_marks_max=10, cursor_interval_ms=10)

_T = TypeVar("_T")


def run(work: Coroutine[None, None, _T]) -> _T:
    """Run one test's coroutine, for no longer than the limit."""

    async def limited() -> _T:
        return await asyncio.wait_for(work, LIMIT_S)

    return asyncio.run(limited())


async def until(condition: Callable[[], bool], what: str) -> None:
    """Let the loop run until a condition holds."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT_S} s: {what}"
        await asyncio.sleep(0.005)


async def append_all(spool: Spool, numbers: Sequence[int], body_bytes: int = 100) -> list[Position]:
    return list(await asyncio.gather(*(spool.append(spool_record(number, body_bytes)) for number in numbers)))


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.spool"))


def corrupt_files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.corrupt"))


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"segwire_ingest_spool_{name}", labels) or 0.0


async def open_and_close(directory: Path) -> None:
    await (await open_spool(directory)).close()
