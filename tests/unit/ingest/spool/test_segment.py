import struct
from pathlib import Path

import pytest
from google_crc32c import value as crc32c

from ingest.spool.errors import SpoolVersionUnknown
from ingest.spool.segment import HEADER_BYTES, SegmentName, header_of, is_sound_header
from tests.support.spool import NAME

PATH = Path("spool/segment")


def test_file_name_carries_number_and_salt() -> None:
    assert SegmentName.parse(NAME.file_name) == NAME


def test_file_names_sort_as_numbers() -> None:
    names = [SegmentName(number, b"01234567") for number in (9, 10, 100, 99_999)]

    assert sorted(name.file_name for name in names) == [name.file_name for name in names]


@pytest.mark.parametrize(
    "file_name", ["cursor", "lock", f"{NAME.file_name}.corrupt", f".{NAME.file_name}", "1-2.spool"]
)
def test_other_files_are_no_segments(file_name: str) -> None:
    assert SegmentName.parse(file_name) is None


def test_header_is_sound_as_written() -> None:
    assert len(header_of(NAME)) == HEADER_BYTES
    assert is_sound_header(header_of(NAME) + b"more", PATH)


def test_any_damaged_byte_makes_the_header_unsound_without_refusing_the_segment() -> None:
    for at in range(HEADER_BYTES):
        data = bytearray(header_of(NAME))
        data[at] ^= 0x55
        assert not is_sound_header(bytes(data), PATH), at


def test_unknown_version_is_refused_with_the_file_and_the_remedy() -> None:
    head = bytearray(header_of(NAME)[:-4])
    struct.pack_into("<I", head, 8, 2)

    with pytest.raises(SpoolVersionUnknown, match=r"spool/segment: written in version 2 .* knows 1; run the Segwire"):
        is_sound_header(bytes(head) + struct.pack("<I", crc32c(bytes(head))), PATH)
