"""What a second membership process costs: CPU per segment event of one process, and of two that share the partitions.

    .venv/bin/python benchmarks/scale_out.py [--rounds 3] [--users 20000] [--extra 180000]

Where the CPU per event stays the same, two processes on two cores do twice the work of one on one: they share nothing
but the broker. So the ratio is 2 x (CPU per event of one) / (CPU per event of both), which needs no third core for the
broker, and tells nothing of what the broker permits.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from membership.cluster import Cluster
from membership.events import Filled, Load, fill
from membership.ours import Ours, build
from membership.process import BROKER_CORE, Pinned

from segwire.embedded.kafka.server import EmbeddedKafka

PREFIX = "bench-"
INPUT = f"{PREFIX}segment-events"
_WATCH_S = 0.1
_LIMIT_S = 1800.0


def cpu_us(cluster: Cluster, members: Sequence[Ours], filled: Filled) -> float:
    """Let the members process everything; return their CPU time per segment event past the warm-up, together."""
    members[0].prepare()
    for member in members[1:]:
        member.clear()
    processes = [member.start() for member in members]
    try:
        load = filled.load
        begin = _at(cluster, members[0].group, processes, load.users + load.extra // 3)
        end = _at(cluster, members[0].group, processes, load.messages)
    finally:
        for process in processes:
            process.stop()
    if begin[0] == end[0]:
        raise SystemExit("one commit held all that is measured; use more messages (--extra)")
    events = (end[0] - begin[0]) * filled.segments / load.messages
    return (end[1] - begin[1]) / events * 1e6


def _at(cluster: Cluster, group: str, processes: Sequence[Pinned], mark: int) -> tuple[int, float]:
    deadline_s = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline_s:
        committed, cpu_s = cluster.committed(group, INPUT), sum(process.cpu_s() for process in processes)
        if committed >= mark:
            return committed, cpu_s
        time.sleep(_WATCH_S)
    raise SystemExit(f"{group}: not at message {mark} after {_LIMIT_S:.0f} s")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--extra", type=int, default=180_000, help="messages beyond the first of each user")
    options = parser.parse_args()
    os.sched_setaffinity(0, {BROKER_CORE})
    with tempfile.TemporaryDirectory(prefix="segwire-scale-") as name:
        directory = Path(name)
        wheel = build(directory, compiled=True)
        with EmbeddedKafka(directory / "broker", port=0, train=False) as kafka:
            cluster = Cluster(kafka.bootstrap_servers)
            cluster.create(INPUT, "delete")
            filled = fill(kafka.bootstrap_servers, INPUT, Load(options.users, options.extra))
            members = [Ours(cluster, PREFIX, directory / f"member-{n}", wheel, ordinal=n) for n in range(2)]
            ratios = []
            for number in range(options.rounds):
                one, two = cpu_us(cluster, members[:1], filled), cpu_us(cluster, members, filled)
                ratios.append(2 * one / two)
                print(
                    f"round {number + 1}: CPU us per event {one:.2f} of one process, {two:.2f} of two; times as fast "
                    f"{ratios[-1]:.2f}; load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
            print(f"median {median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")


if __name__ == "__main__":
    main()
