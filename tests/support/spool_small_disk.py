"""Fills a real disk of 1 MiB inside a mount namespace; tells what became of it as JSON.

`unshare -Urm python -m tests.support.spool_small_disk DIRECTORY`
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from ingest.spool.errors import SpoolError
from ingest.spool.spool import Spool
from ingest.spool.state import SpoolLimits
from tests.support.spool import number_of, open_spool, replay_numbers, spool_record

LIMITS = SpoolLimits(segment_bytes=100_000)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


async def attempt(spool: Spool, number: int) -> str:
    try:
        await spool.append(spool_record(number, 5000))
    except SpoolError as error:
        return type(error).__name__
    return "durable"


async def fill(spool: Spool) -> list[int]:
    """Append until something is refused; return what is durable."""
    numbers: list[int] = []
    while await attempt(spool, len(numbers)) == "durable":
        numbers.append(len(numbers))
    return numbers


async def main(disk: Path) -> None:
    mount("-t", "tmpfs", "-o", "size=1m", "spool", str(disk))
    spool = await open_spool(disk / "spool", LIMITS)
    durable = await fill(spool)
    refused = [await attempt(spool, 999) for _ in range(3)]
    full = spool.state().level.value
    probed_full = (await spool.probe()).level.value
    await spool.close()

    spool = await open_spool(disk / "spool", LIMITS)
    reopened = spool.state().level.value
    replayed: list[int] = []
    while len(replayed) < 40:
        for spooled in await spool.replay(records_max=10):
            replayed.append(number_of(spooled.record))
            spool.mark_done(spooled.position)
    probed = (await spool.probe()).level.value
    after = await attempt(spool, 1000)

    replayed += await replay_numbers(spool, mark=True)
    await spool.close()
    print(  # noqa: T201 - its answer
        json.dumps(
            {
                "durable": durable,
                "refused": refused,
                "full": full,
                "probed_full": probed_full,
                "reopened": reopened,
                "probed": probed,
                "after": after,
                "replayed": replayed,
                "left": sorted(path.name for path in (disk / "spool").iterdir()),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
