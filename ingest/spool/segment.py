"""A segment's name and its first bytes.

The name carries number and salt, so a damaged header costs nothing; the header carries the version.
"""

import re
import struct
from pathlib import Path
from typing import Self

import msgspec
from google_crc32c import value as crc32c

from ingest.spool.errors import SpoolVersionUnknown

VERSION = 1
SUFFIX = ".spool"
CORRUPT_SUFFIX = ".corrupt"
SALT_BYTES = 8

_MAGIC = b"segwspl\n"
_HEADER = struct.Struct("<8sIQ8sI")
HEADER_BYTES = _HEADER.size
_NAME = re.compile(r"([0-9]{16})-([0-9a-f]{16})\.spool")


class SegmentName(msgspec.Struct, frozen=True, order=True):
    """Which segment: numbers are never used twice in a directory, and the salt is random."""

    number: int
    salt: bytes

    @property
    def file_name(self) -> str:
        """Return the name of its file; names sort as numbers do."""
        return f"{self.number:016}-{self.salt.hex()}{SUFFIX}"

    @classmethod
    def parse(cls, file_name: str) -> Self | None:
        """Read a file's name; None where it is no segment's."""
        match = _NAME.fullmatch(file_name)
        return cls(int(match[1]), bytes.fromhex(match[2])) if match else None


def header_of(name: SegmentName) -> bytes:
    """Return the bytes that a segment begins with."""
    head = _HEADER.pack(_MAGIC, VERSION, name.number, name.salt, 0)[:-4]
    return head + struct.pack("<I", crc32c(head))


def is_sound_header(data: bytes, path: Path) -> bool:
    """Tell whether a segment begins as it must; what follows can be read in either case.

    Raises:
        SpoolVersionUnknown: it is whole, but of another version.
    """
    if len(data) < HEADER_BYTES or data[:8] != _MAGIC:
        return False
    _, version, _, _, check = _HEADER.unpack_from(data)
    if crc32c(data[: HEADER_BYTES - 4]) != check:
        return False
    if version != VERSION:
        raise SpoolVersionUnknown(
            f"{path}: written in version {version} of the spool's format, this Segwire knows {VERSION}; "
            "run the Segwire that wrote it until its spool is empty, or move the file away"
        )
    return True


def list_segments(directory: Path) -> list[SegmentName]:
    """Return a directory's segments, oldest first."""
    names = (SegmentName.parse(path.name) for path in directory.iterdir())
    return sorted(name for name in names if name is not None)
