"""The wheel holds a compiled hot path where there is a C compiler: it must do what its source does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import Segwire


def replayed(python: Path, script: str) -> tuple[str, str]:
    """Return the digest of a replay by an interpreter's own installation, and how that was built."""
    command = [python, Path(__file__).with_name(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=python.parent)
    digest, built = done.stdout.split()
    return digest, built


@pytest.mark.skipif(shutil.which("cc") is None, reason="without a C compiler the wheel is the same Python")
@pytest.mark.parametrize("script", ["replay.py", "replay_ingest.py"])
def test_what_is_compiled_does_what_its_source_does(segwire: Segwire, script: str) -> None:
    wheels = replayed(Path(segwire.command()[0]).with_name("python"), script)
    ours = replayed(Path(sys.executable), script)
    assert (ours[1], wheels[1]) == ("python", "compiled")
    assert ours[0] == wheels[0]
