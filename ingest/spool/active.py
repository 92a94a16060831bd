"""The segment that is being written."""

import os
from contextlib import suppress
from pathlib import Path

from ingest.spool.files import FILE_MODE, sync_directory, write_all
from ingest.spool.segment import HEADER_BYTES, SegmentName, header_of


class ActiveSegment:
    """An open segment file. Up to `synced_bytes` it is durable; nothing beyond is ever told to anyone."""

    def __init__(self, directory: Path, name: SegmentName) -> None:
        """Make the file; it holds nothing until the first append. Blocks.

        Raises:
            OSError: it could not be made.
        """
        self.name = name
        self.synced_bytes = 0
        self._path = directory / name.file_name
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)

    @property
    def next_offset(self) -> int:
        """Where the next frame begins."""
        return self.synced_bytes or HEADER_BYTES

    def write(self, frames: bytes) -> None:
        """Write whole frames; they are not durable yet. Blocks.

        Raises:
            OSError: they may be there in part.
        """
        data = frames if self.synced_bytes else header_of(self.name) + frames
        write_all(self._fd, data, self.synced_bytes)

    def sync(self, end: int) -> None:
        """Make everything up to `end` durable, with the file's name if it is new. Blocks.

        Raises:
            OSError: never try again on this file: the kernel may have dropped the pages and call the next try good.
        """
        os.fdatasync(self._fd)
        if not self.synced_bytes:
            sync_directory(self._path.parent)
        self.synced_bytes = end

    def cut_back(self) -> bool:
        """Take away what was written since the last sync; return whether the file can be gone on with. Blocks."""
        if not self.synced_bytes:
            return False
        try:
            os.ftruncate(self._fd, self.synced_bytes)
        except OSError:
            return False
        return True

    def abandon(self) -> None:
        """Give the file up: what is durable stays, the rest is cut off as far as the disk lets us. Blocks."""
        self.cut_back()
        self.close()
        if not self.synced_bytes:
            with suppress(OSError):
                self._path.unlink()

    def close(self) -> None:
        """Close the file; it is durable already."""
        with suppress(OSError):
            os.close(self._fd)
