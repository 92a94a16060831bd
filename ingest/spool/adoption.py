"""Takes over the spools of workers that no longer exist, so that what they acknowledged reaches Kafka."""

import asyncio
from collections.abc import Collection
from pathlib import Path

import structlog

from ingest.spool.errors import SpoolError, SpoolLocked
from ingest.spool.lock import LOCK_FILE
from ingest.spool.spool import Spool
from ingest.spool.state import SpoolLimits
from runtime.clock import Clock

_log = structlog.get_logger()


async def adopt(parent: Path, *, except_for: Collection[str], limits: SpoolLimits, clock: Clock) -> list[Spool]:
    """Open every spool below `parent` that nobody holds and that still has something to replay.

    `except_for` names the directories of workers that exist, or are about to: theirs are not orphans even if they
    are not locked yet. The caller replays what it gets and closes it with `remove_if_empty`. A spool that cannot be
    opened is logged and left alone.
    """
    adopted = []
    for directory in await asyncio.to_thread(_candidates, parent, except_for):
        try:
            spool = await Spool.open(directory, limits, clock)
        except SpoolLocked:
            continue
        except SpoolError as error:
            _log.error("spool_not_adopted", directory=str(directory), error=str(error))
            continue
        if spool.state().pending_records:
            _log.info("spool_adopted", directory=str(directory), records=spool.state().pending_records)
            adopted.append(spool)
        else:
            await spool.close(remove_if_empty=True)
    return adopted


def _candidates(parent: Path, except_for: Collection[str]) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.name not in except_for and (path / LOCK_FILE).is_file())
