"""What a simulation is asked to do: every number that shapes the traffic, and nothing that is found out later."""

from typing import Literal

import msgspec

DateShape = Literal["java", "iso", "epoch-ms", "mixed"]


class SimulationPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of one run; the same plan always makes the same messages.

    `start_ms` is the wall clock at the first message (epoch ms): every date lies around it. `duration_s` None never
    ends. `batch_every_s` 0 sends no batches. `rate` counts messages a second, retries and batch spikes on top.
    """

    users: int = 1000
    segments: int = 100
    destinations: int = 2
    rate: float = 50.0
    duration_s: float | None = 30.0
    batch_every_s: float = 20.0
    seed: int = 1
    start_ms: int
    client_id: str
    dates: DateShape = "java"


def client_id_of_run(seed: int, start_ms: int) -> str:
    """Return an account ID that no other run has: digits, so that it can also travel as a JSON number."""
    return f"{start_ms}{seed % 1000:03}"
