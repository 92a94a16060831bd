"""Checks of this machine: versions, the data directory."""

import os
import platform
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import confluent_kafka

from segwire.inspect.doctor.finding import Finding

FREE_BYTES_MIN = 1 << 30


def check_versions() -> list[Finding]:
    """Tell what runs here."""
    found = (
        f"Segwire {version('segwire')}, Python {platform.python_version()}, {platform.system()} {os.uname().machine}"
    )
    return [Finding("versions", ok=True, value=f"{found}, librdkafka {confluent_kafka.libversion()[0]}")]


def check_data_dir(data_dir: Path) -> list[Finding]:
    """Check that the data directory, or the place where it will be made, can be written and has room."""
    place = data_dir.absolute()
    while not place.exists():
        place = place.parent
    name = str(data_dir) if data_dir.exists() else f"{data_dir} (not made yet)"
    if not place.is_dir():
        return [Finding("data directory", False, f"{place} is a file", "set data_dir, or --data-dir, to a directory")]
    refusal = _try_writing(place)
    if refusal is not None:
        remedy = f"let this user (UID {os.getuid()}) write to {place}, or set data_dir to another directory"
        return [Finding("data directory", False, f"{name}: cannot be written: {refusal}", remedy)]
    free_bytes = shutil.disk_usage(place).free
    return [Finding("data directory", True, f"{name}: can be written"), judge_free_space(str(place), free_bytes)]


def judge_free_space(place: str, free_bytes: int) -> Finding:
    """Judge the free space of the disk that holds `place`."""
    value = f"{free_bytes / (1 << 30):.1f} GiB free at {place}"
    if free_bytes >= FREE_BYTES_MIN:
        return Finding("disk", ok=True, value=value)
    return Finding(
        "disk", False, value, f"make room: at least {FREE_BYTES_MIN >> 30} GiB, or set data_dir to another disk"
    )


def _try_writing(directory: Path) -> str | None:
    """Return why nothing can be kept in a directory, None where it can; leaves nothing behind."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return None
