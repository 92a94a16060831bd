"""How containers ended, as the API server was told: read from its stream of changes."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.tools import PROGRAMS


class Exits:
    """A watch of all pods of a namespace."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._file = folder / "pods.json"
        # Before, processors may have ended because their topics were not there yet.
        self._since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        config = f"--kubeconfig={plane.kubeconfig}"
        command = [str(PROGRAMS / "kubectl"), config, "get", "pods", "--watch", "--output=json"]
        with self._file.open("wb") as output:
            subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)

    def seen(self) -> dict[str, tuple[str, int]]:
        """Return the pod and the exit code of every container that ended, by the container's ID."""
        found: dict[str, tuple[str, int]] = {}
        for pod in self._pods():
            for status in pod.get("status", {}).get("containerStatuses", []):
                for state in (status.get("state", {}), status.get("lastState", {})):
                    ended = state.get("terminated", {})
                    if ended.get("containerID") and ended["finishedAt"] >= self._since:
                        found[ended["containerID"]] = (pod["metadata"]["name"], ended["exitCode"])
        return found

    def _pods(self) -> list[dict[str, Any]]:
        text, decoder, at, found = self._file.read_text(encoding="utf-8"), json.JSONDecoder(), 0, []
        while at < len(text):
            try:
                pod, end = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                break  # the last one is being written
            found.append(pod)
            at = end
            while at < len(text) and text[at].isspace():
                at += 1
        return found
