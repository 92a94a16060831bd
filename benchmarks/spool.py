"""How fast the spool is: durable appends, replay, recovery. `python benchmarks/spool.py [--directory DIR]`.

The appends come from N senders on one event loop, each waiting for its own before the next. Beside them the bare
disk, from one thread: the same bytes written and synced in groups of N.
"""

import argparse
import asyncio
import os
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import uvloop

from ingest.spool.record import SpoolRecord
from ingest.spool.recovery import recover
from ingest.spool.spool import Spool
from ingest.spool.state import SpoolLimits
from runtime.clock import SystemClock

LIMITS = SpoolLimits(bytes_max=8 << 30)
HEADERS = [
    ("segwire-source", b"dev"),
    ("segwire-received-at-ms", b"1795334400000"),
    ("segwire-request-id", b"0123456789abcdef0123456789abcdef"),
    ("content-type", b"application/json"),
]


def record(body: bytes) -> SpoolRecord:
    return SpoolRecord(
        time.time_ns() // 1_000_000, "0123456789abcdef0123456789abcdef", "dev", "aam-posts", HEADERS, body
    )


async def append(directory: Path, in_flight: int, body: bytes, seconds: float) -> tuple[float, float, float, float]:
    """Return appends per second, p50 and p99 in ms, and CPU µs per append."""
    spool = await Spool.open(directory, LIMITS, SystemClock())
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def sender() -> None:
        while (began := time.perf_counter()) < end:
            await spool.append(record(body))
            took.append(time.perf_counter() - began)

    began, cpu = time.perf_counter(), cpu_s()
    await asyncio.gather(*(sender() for _ in range(in_flight)))
    elapsed, cpu = time.perf_counter() - began, cpu_s() - cpu
    await spool.close()
    took.sort()
    return len(took) / elapsed, took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3, cpu / len(took) * 1e6


async def replay(directory: Path) -> tuple[float, float]:
    """Return records per second replayed and marked done, and seconds to open."""
    began = time.perf_counter()
    spool = await Spool.open(directory, LIMITS, SystemClock())
    opened_s = time.perf_counter() - began
    began, count = time.perf_counter(), 0
    while batch := await spool.replay():
        count += len(batch)
        for one in batch:
            spool.mark_done(one.position)
    rate = count / (time.perf_counter() - began)
    await spool.close()
    return rate, opened_s


def bare(directory: Path, group_bytes: int) -> float:
    """Return groups per second of the bare disk."""
    fd = os.open(directory / "bare", os.O_WRONLY | os.O_CREAT)
    data, count, end = os.urandom(group_bytes), 0, time.perf_counter() + 1
    while time.perf_counter() < end:
        os.pwrite(fd, data, count * group_bytes)
        os.fdatasync(fd)
        count += 1
    os.close(fd)
    (directory / "bare").unlink()
    return count


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--body-bytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    body = os.urandom(options.body_bytes)
    directory = Path(tempfile.mkdtemp(dir=options.directory))
    try:
        for in_flight in (1, 16, 64, 256):
            rounds = []
            for _ in range(options.rounds):
                shutil.rmtree(directory / "s", ignore_errors=True)
                rounds.append(uvloop.run(append(directory / "s", in_flight, body, options.seconds)))
            rate, p50, p99, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
            low, high = min(r[0] for r in rounds), max(r[0] for r in rounds)
            groups = bare(directory, in_flight * options.body_bytes)
            print(
                f"{in_flight:4} in flight: {rate:9,.0f}/s ({low:,.0f}-{high:,.0f})  p50 {p50:.2f} ms  p99 {p99:.2f} ms"
                f"  {cpu:.1f} CPU µs each; bare disk {groups:,.0f} groups/s = {groups * in_flight:,.0f} records/s"
            )
        size_bytes = sum(path.stat().st_size for path in (directory / "s").iterdir())
        began = time.perf_counter()
        recovered = recover(directory / "s")
        took = time.perf_counter() - began
        records = sum(segment.records for segment in recovered.segments)
        print(
            f"recovery: {records:,} records, {size_bytes / 2**20:,.0f} MiB in {took:.2f} s"
            f" = {size_bytes / took / 2**30:.2f} GiB/s"
        )
        rate, opened_s = uvloop.run(replay(directory / "s"))
        print(f"replay and mark done: {rate:,.0f} records/s; opened in {opened_s:.2f} s")
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
