"""Checks of this machine."""

import errno
import tempfile
from pathlib import Path
from typing import Any

import pytest

from segwire.inspect.doctor.machine import check_data_dir, check_versions


def test_versions_name_python_and_librdkafka() -> None:
    (finding,) = check_versions()
    assert "Python 3." in finding.value
    assert "librdkafka" in finding.value


def test_directory_that_can_be_written_is_fine_and_left_as_it_was(tmp_path: Path) -> None:
    findings = check_data_dir(tmp_path)
    assert [finding.check for finding in findings] == ["data directory", "disk"]
    assert findings[0].ok
    assert list(tmp_path.iterdir()) == []


def test_directory_not_made_yet_is_judged_by_where_it_will_be(tmp_path: Path) -> None:
    findings = check_data_dir(tmp_path / "a" / "b")
    assert findings[0].ok
    assert "not made yet" in findings[0].value
    assert not (tmp_path / "a").exists()


def test_file_in_the_way_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (finding,) = check_data_dir(tmp_path / "file" / "data")
    assert finding.ok is False
    assert "is a file" in finding.value


def test_full_or_read_only_disk_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    (finding,) = check_data_dir(tmp_path)
    assert finding.ok is False
    assert "Read-only file system" in finding.value
    assert str(tmp_path) in (finding.remedy or "")
