"""The same job on Quix Streams: `quix_job.py`, in a virtual environment of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

from membership.candidate import COMMIT_INTERVAL_MS, Restored
from membership.cluster import Cluster
from membership.process import Pinned

_JOB = Path(__file__).with_name("quix_job.py")
_REQUIREMENTS = ["quixstreams==3.28.1", "msgspec==0.22.0"]


def install(directory: Path) -> Path:
    """Make the virtual environment where there is none; return its interpreter."""
    python = directory / "quix" / "bin" / "python"
    marker = directory / "quix" / "installed.txt"
    if not marker.exists() or marker.read_text(encoding="utf-8") != str(_REQUIREMENTS):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory / "quix")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *_REQUIREMENTS], check=True)
        marker.write_text(str(_REQUIREMENTS), encoding="utf-8")
    return python


class Quix:
    """The job, exactly once."""

    name = "Quix Streams"
    restores = False
    group = "quix"
    view = "quix-view"

    def __init__(self, cluster: Cluster, topic: str, directory: Path, python: Path) -> None:
        self.state = directory / "state"
        self._cluster = cluster
        self._directory = directory
        self._command = [
            str(python), str(_JOB), cluster.bootstrap_servers, topic, self.view, self.group, str(self.state),
            str(COMMIT_INTERVAL_MS),
        ]  # fmt: skip

    def prepare(self) -> None:
        """Delete its topics and state, and create the topic of its rows."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        self._cluster.delete(self.group, f"changelog__{self.group}")
        self._cluster.create(self.view)

    def start(self) -> Pinned:
        """Start the job."""
        return Pinned(self._command, {}, self._directory / "log.txt")

    def restored(self, process: Pinned) -> Restored | None:  # noqa: ARG002
        """Tell of nothing: not measured."""
        return None
