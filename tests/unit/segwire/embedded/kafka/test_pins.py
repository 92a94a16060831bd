"""The lock file and its reader."""

import pytest

from segwire.embedded.kafka.pins import KAFKA_VERSION, LOCK_FILE, load_pins, parse_lock

ENTRY = """
[[dependencies]]
groupId = "a.b"
artifactId = "c"
version = "1.2"
packaging = "jar"
sha256 = "{sha256}"
size_bytes = 7
"""


def test_entry_becomes_a_pin() -> None:
    (pin,) = parse_lock(ENTRY.format(sha256="0" * 64))
    assert (pin.coordinate, pin.file_name, pin.sha256, pin.size_bytes) == ("a.b:c:1.2", "c-1.2.jar", "0" * 64, 7)


def test_entry_without_a_whole_checksum_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.b:c:1\.2 has no SHA-256"):
        parse_lock(ENTRY.format(sha256="abc"))


def test_entry_without_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.b:c:1\.2 has no size_bytes"):
        parse_lock(ENTRY.format(sha256="0" * 64).replace("size_bytes", "bytes"))


def test_two_entries_of_one_file_name_are_refused() -> None:
    one = ENTRY.format(sha256="0" * 64)
    with pytest.raises(ValueError, match=r"file name c-1\.2\.jar"):
        parse_lock(one + one.replace("a.b", "x.y"))


def test_every_part_of_kafka_is_pinned_in_the_broker_s_version() -> None:
    versions = {pin.version for pin in load_pins() if pin.group == "org.apache.kafka"}
    assert versions == {KAFKA_VERSION}


def test_logging_is_pinned_to_log4j() -> None:
    assert "log4j-slf4j-impl" in {pin.artifact for pin in load_pins()}


def test_committed_lock_names_no_registry() -> None:
    assert "://" not in LOCK_FILE.read_text(encoding="utf-8")
