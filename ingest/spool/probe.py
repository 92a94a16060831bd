"""Asks the disk whether it takes bytes now."""

import os
from contextlib import suppress
from pathlib import Path

from ingest.spool.files import FILE_MODE, write_all

_PROBE_BYTES = 4096


def probe_disk(directory: Path) -> None:
    """Write and sync a small file, and remove it. Blocks.

    Raises:
        OSError: the disk takes nothing.
    """
    path = directory / ".probe"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        try:
            write_all(fd, bytes(_PROBE_BYTES), 0)
            os.fdatasync(fd)
        finally:
            os.close(fd)
    finally:
        with suppress(OSError):
            path.unlink()
