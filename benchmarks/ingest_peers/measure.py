"""One phase of one candidate: load for some seconds, and what it cost the candidate's process."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from membership.process import BROKER_CORE

from ingest_peers.servers import KEY, Server

_LIMIT_S = 120.0


class Phase(NamedTuple):
    """How load is given: as fast as it is answered, or at a rate."""

    name: str
    connections: int
    rate_per_s: float = 0.0


class Figures(NamedTuple):
    """What was measured."""

    cpu_us: float
    per_s: float
    per_core_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    rss_bytes: int
    refused: int
    unstored: int
    """Answers 200 beyond the records that the topic gained."""


class Load(NamedTuple):
    """The load generator: its program and the bodies that it sends."""

    program: Path
    bodies: Path

    def run(self, server: Server, phase: Phase, seconds: float, records: Callable[[], int]) -> Figures:
        """Give load; `records` counts those of the candidate's topic."""
        before, cpu_s = records(), server.cpu_s()
        told = self._send(server, phase, seconds)
        cpu_s = server.cpu_s() - cpu_s
        acknowledged = max(1, int(told["acknowledged"]))
        return Figures(
            cpu_s / acknowledged * 1e6,
            acknowledged / told["seconds"],
            acknowledged / cpu_s,
            told["p50_ms"],
            told["p99_ms"],
            told["max_ms"],
            server.rss_bytes(),
            int(told["refused"] + told["broken"]),
            max(0, int(told["acknowledged"]) - (records() - before)),
        )

    def _send(self, server: Server, phase: Phase, seconds: float) -> dict[str, float]:
        command = [
            *("taskset", "-c", str(BROKER_CORE), str(self.program), "-addr", f"127.0.0.1:{server.port}"),
            *("-path", server.candidate.path, "-bodies", str(self.bodies), "-key", KEY),
            *("-c", str(phase.connections), "-rate", str(phase.rate_per_s), "-d", str(seconds)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _LIMIT_S, check=False)
        if done.returncode:
            raise SystemExit(f"{server.candidate.name}: the load generator failed: {done.stderr[-1000:]}")
        told: dict[str, float] = json.loads(done.stdout)
        return told
