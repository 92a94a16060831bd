"""Segwire's membership processor, as shipped, every feature on."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from datetime import datetime
from pathlib import Path

from membership.candidate import COMMIT_INTERVAL_MS, Restored
from membership.cluster import PARTITIONS, Cluster
from membership.process import Pinned

_RESTORED = re.compile(r"^segwire_processor_restored_records_total\{.*\} (\S+)$", re.MULTILINE)
_SEGWIRE = str(Path(sys.executable).with_name("segwire"))
_ROOT = Path(__file__).parent.parent.parent


def build(directory: Path, *, compiled: bool) -> Path:
    """Build the wheel of the checkout and unpack it; return where."""
    target = directory / ("compiled" if compiled else "python")
    shutil.rmtree(target, ignore_errors=True)
    environment = {**os.environ, "SEGWIRE_COMPILE": "always" if compiled else "never"}
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=_ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = target.glob("*.whl")
    shutil.unpack_archive(wheel, target, "zip")
    return target


class Ours:
    """`segwire process membership`, from an unpacked wheel."""

    restores = True

    def __init__(
        self, cluster: Cluster, prefix: str, directory: Path, wheel: Path, name: str = "Segwire", ordinal: int = 0
    ) -> None:  # fmt: skip
        """Use topics named `prefix`…; the input is one of them."""
        self.name = name
        self._cluster = cluster
        self._prefix = prefix
        self._directory = directory
        self.ready = directory / "ready.json"
        self.group = f"{prefix}segwire-membership"
        self.view = f"{prefix}segment-membership"
        self.state = directory / "state"
        self._environment = {
            "PYTHONPATH": str(wheel),
            "SEGWIRE_DATA_DIR": str(directory),
            "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
            "SEGWIRE_KAFKA__TOPIC_PREFIX": prefix,
            "SEGWIRE_KAFKA__PARTITIONS": str(PARTITIONS),
            "SEGWIRE_KAFKA__REPLICATION_FACTOR": "1",
            "SEGWIRE_MEMBERSHIP__ORDINAL": str(ordinal),
            "SEGWIRE_MEMBERSHIP__SESSION_TIMEOUT_MS": "6000",
            "SEGWIRE_MEMBERSHIP__COMMIT_INTERVAL_MS": str(COMMIT_INTERVAL_MS),
            # So that time alone ends a transaction, as with the others.
            "SEGWIRE_MEMBERSHIP__MAX_TRANSACTION_RECORDS": "1000000",
            "SEGWIRE_LOG__FORMAT": "json",
        }

    def prepare(self) -> None:
        """Delete all but the input, and create the topics of the manifest."""
        self.clear()
        self._cluster.delete(self._prefix, keep=f"{self._prefix}segment-events")
        # The manifest's settings come with `topics apply`; a topic of the same name may be on its way out.
        subprocess.run([_SEGWIRE, "topics", "apply"], env=self._environment, check=True, stdout=subprocess.DEVNULL)

    def clear(self) -> None:
        """Delete what is on disk."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)

    def start(self) -> Pinned:
        """Start the processor."""
        self.ready.unlink(missing_ok=True)
        command = [_SEGWIRE, "process", "membership", "--port", "0", "--ready-file", str(self.ready)]
        return Pinned(command, self._environment, self._directory / "log.json")

    def restored(self, process: Pinned) -> Restored | None:
        """Read its log, its ready file and its metrics."""
        if not self.ready.exists():
            return None
        began_s = min(
            datetime.fromisoformat(line["timestamp"]).timestamp()
            for line in map(json.loads, process.log.read_text(encoding="utf-8").splitlines())
            if line["event"] == "restore_started"
        )
        url = json.loads(self.ready.read_text(encoding="utf-8"))["urls"]["membership-management"]
        with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
            metrics = answer.read().decode()
        records = sum(float(count) for count in _RESTORED.findall(metrics))
        return Restored(began_s, self.ready.stat().st_mtime, int(records))
