"""The wheel holds a compiled hot path where there is a C compiler: it must do what its source does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import Segwire

REPLAY = Path(__file__).with_name("replay.py")


def replayed(python: Path) -> tuple[str, str]:
    """Return the digest of a replay by an interpreter's own installation, and how that was built."""
    done = subprocess.run([python, REPLAY], capture_output=True, text=True, check=True, cwd=python.parent)
    digest, built = done.stdout.split()
    return digest, built


@pytest.mark.skipif(shutil.which("cc") is None, reason="without a C compiler the wheel is the same Python")
def test_what_is_compiled_does_what_its_source_does(segwire: Segwire) -> None:
    ours, wheels = replayed(Path(sys.executable)), replayed(Path(segwire.command()[0]).with_name("python"))
    assert (ours[1], wheels[1]) == ("python", "compiled")
    assert ours[0] == wheels[0]
