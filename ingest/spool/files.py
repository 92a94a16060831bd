"""The few things asked of the file system, each done to its end."""

import os
from contextlib import suppress
from pathlib import Path

_BLOCK_BYTES = 4096
# What is spooled are people's data.
FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write every byte at `offset`: the system may take fewer at a time.

    Raises:
        OSError: not all could be written.
    """
    written = os.pwrite(fd, data, offset)
    while written < len(data):
        written += os.pwrite(fd, memoryview(data)[written:], offset + written)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file by rename, durably: a reader, and a crash, find the former bytes or these.

    Raises:
        OSError: the former bytes are still there.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        try:
            write_all(fd, data, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def read_range(path: Path, offset: int, limit: int) -> tuple[bytes, bool]:
    """Read [offset, limit); return the bytes and whether all could be read.

    Blocks of the disk that cannot be read come back as zeros, so that the rest still can. Shorter at the file's end.

    Raises:
        OSError: the file cannot be opened.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        limit = min(limit, os.fstat(fd).st_size)
        try:
            return _read(fd, offset, limit), True
        except OSError:
            return _read_blockwise(fd, offset, limit), False
    finally:
        os.close(fd)


def _read(fd: int, offset: int, limit: int) -> bytes:
    parts = []
    while offset < limit and (part := os.pread(fd, limit - offset, offset)):
        parts.append(part)
        offset += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_blockwise(fd: int, offset: int, limit: int) -> bytes:
    parts = []
    while offset < limit:
        end = min(limit, offset - offset % _BLOCK_BYTES + _BLOCK_BYTES)
        try:
            part = _read(fd, offset, end)
        except OSError:
            part = b""
        parts.append(part.ljust(end - offset, b"\0"))
        offset = end
    return b"".join(parts)
