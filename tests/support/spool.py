"""Spooled records by number, and the bytes of whole segments, for tests."""

import struct
from collections.abc import Sequence
from pathlib import Path

from ingest.spool.frame import head_of
from ingest.spool.record import SpoolRecord, encode_record
from ingest.spool.segment import SegmentName, header_of
from ingest.spool.spool import Spool
from ingest.spool.state import SpoolLimits
from runtime.clock import SystemClock

RECEIVED_AT_MS = 1_795_334_400_000
SALT = bytes(range(8))
NAME = SegmentName(1, SALT)


def spool_record(number: int, body_bytes: int = 100) -> SpoolRecord:
    """Return a record that says its number in its body, which is as long as asked for."""
    return SpoolRecord(
        received_at_ms=RECEIVED_AT_MS + number,
        request_id=f"request-{number}",
        source="dev",
        topic="aam-posts",
        headers=[("segwire-source", b"dev")],
        body=struct.pack("<Q", number).ljust(body_bytes, b"."),
    )


def number_of(record: SpoolRecord) -> int:
    """Return a record's number; it must be as it was made."""
    number: int = struct.unpack_from("<Q", record.body)[0]
    assert record == spool_record(number, len(record.body))
    return number


def segment_bytes(records: Sequence[SpoolRecord], name: SegmentName = NAME) -> tuple[bytes, list[int]]:
    """Return a segment's bytes, and where each record's frame begins, with the end as the last."""
    data = header_of(name)
    offsets = []
    for record in records:
        payload = encode_record(record)
        offsets.append(len(data))
        data += head_of(name.salt, len(data), payload) + payload
    return data, [*offsets, len(data)]


def write_segment(directory: Path, records: Sequence[SpoolRecord], name: SegmentName = NAME) -> tuple[Path, list[int]]:
    """Write a whole segment into a directory; return its path and where each frame begins, and the end."""
    directory.mkdir(parents=True, exist_ok=True)
    data, offsets = segment_bytes(records, name)
    path = directory / name.file_name
    path.write_bytes(data)
    return path, offsets


async def open_spool(directory: Path, limits: SpoolLimits | None = None) -> Spool:
    """Open a spool with the machine's clock."""
    return await Spool.open(directory, limits or SpoolLimits(), SystemClock())


async def replay_numbers(spool: Spool, *, mark: bool = False) -> list[int]:
    """Replay all there is; return the numbers in the order they came."""
    numbers = []
    while batch := await spool.replay():
        for spooled in batch:
            numbers.append(number_of(spooled.record))
            if mark:
                spool.mark_done(spooled.position)
    return numbers
