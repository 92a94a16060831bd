"""Damaged bytes, kept aside in a file of their own for someone to look at."""

from pathlib import Path

import structlog

from ingest.spool.files import write_whole
from ingest.spool.segment import CORRUPT_SUFFIX, SegmentName
from runtime.metrics import SPOOL_CORRUPT

_log = structlog.get_logger()


def set_aside(directory: Path, name: SegmentName, offset: int, data: bytes) -> bool:
    """Keep the bytes found at `offset` of a segment; False where even that fails. Counted once. Blocks."""
    path = directory / f"{name.file_name}.{offset}{CORRUPT_SUFFIX}"
    try:
        if path.exists():
            return True
        write_whole(path, data)
        kept = True
    except OSError:
        kept = False
    SPOOL_CORRUPT.inc()
    _log.error(
        "spool_corrupt", segment=name.file_name, offset=offset, size_bytes=len(data), kept=path.name if kept else None
    )
    return kept


def remove_segment(directory: Path, name: SegmentName, *, keep: bool) -> None:
    """Remove a finished segment, or keep it whole under another name. Blocks.

    Raises:
        OSError: it is still there.
    """
    path = directory / name.file_name
    if keep:
        path.rename(path.with_name(path.name + CORRUPT_SUFFIX))
    else:
        path.unlink(missing_ok=True)
