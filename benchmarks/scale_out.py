"""What a second membership process costs: CPU per segment event of one process, and of two that share the partitions.

    .venv/bin/python benchmarks/scale_out.py [--rounds 3] [--users 20000] [--extra 180000]

Where the CPU per event stays the same, two processes on two cores do twice the work of one on one: they share nothing
but the broker. So the ratio is 2 x (CPU per event of one) / (CPU per event of both), which needs no third core for the
broker, and tells nothing of what the broker permits.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from membership.cluster import Cluster
from membership.events import Filled, Load, fill
from membership.ours import Ours, build
from membership.process import BROKER_CORE

from segwire.embedded.kafka.server import EmbeddedKafka

PREFIX = "bench-"
INPUT = f"{PREFIX}segment-events"


def cpu_us(cluster: Cluster, members: Sequence[Ours], filled: Filled, start_s: float) -> float:
    """Let the members process everything; return their CPU time per segment event, together, without their starts."""
    members[0].prepare()
    for member in members[1:]:
        member.clear()
    processes = [member.start() for member in members]
    try:
        processes[0].wait_for(
            lambda: cluster.committed(members[0].group, INPUT) >= filled.load.messages, "the end of the input"
        )
        spent_s = sum(process.cpu_s() for process in processes)
    finally:
        for process in processes:
            process.stop()
    return (spent_s - len(members) * start_s) / filled.segments * 1e6


def start_cpu_s(member: Ours) -> float:
    """Return the CPU time of a start, while there is no input."""
    member.prepare()
    process = member.start()
    try:
        process.wait_for(member.ready.exists, "ready")
        return process.cpu_s()
    finally:
        process.stop()


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
            members = [Ours(cluster, PREFIX, directory / f"member-{n}", wheel, ordinal=n) for n in range(2)]
            start_s = start_cpu_s(members[0])
            filled = fill(kafka.bootstrap_servers, INPUT, Load(options.users, options.extra))
            ratios = []
            for number in range(options.rounds):
                one, two = (cpu_us(cluster, members[:n], filled, start_s) for n in (1, 2))
                ratios.append(2 * one / two)
                print(
                    f"round {number + 1}: CPU us per event {one:.2f} of one process, {two:.2f} of two; times as fast "
                    f"{ratios[-1]:.2f}; load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
            print(f"median {median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")


if __name__ == "__main__":
    main()
