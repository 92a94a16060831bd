"""The command line: builds what is compared, gives each the same load in turn, prints the tables."""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from membership.process import BROKER_CORE
from membership.surroundings import described

from ingest_peers import bodies
from ingest_peers.build import program
from ingest_peers.measure import Figures, Load, Phase
from ingest_peers.report import render
from ingest_peers.servers import CANDIDATES, USUAL, Candidate, Place, Server
from segwire.embedded.kafka.server import EmbeddedKafka

_PREFIX = "bench-"
# As `kafka.partitions` is by default.
_PARTITIONS = 12
_WARM_S = 3.0
_FIRST = "Segwire"


def main() -> None:
    """Run the benchmark."""
    options = _options()
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two cores are needed: one for the candidates, one for the broker and the load")
    options.cache.mkdir(parents=True, exist_ok=True)
    load = program("load", options.cache)
    # The broker inherits this; the candidates get the other core.
    os.sched_setaffinity(0, {BROKER_CORE})
    with tempfile.TemporaryDirectory(prefix="segwire-benchmark-", dir=options.directory) as name:
        directory = Path(name)
        with EmbeddedKafka(directory / "broker", port=0, train=False) as kafka:
            place = Place(directory, options.cache, kafka.bootstrap_servers, _PREFIX, options.linger_ms)
            size_bytes = bodies.write(directory / "bodies.jsonl")
            print(f"{described()}\nbodies of {size_bytes:.0f} bytes, linger {options.linger_ms} ms", flush=True)
            _compare(options, place, Load(load, directory / "bodies.jsonl"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each phase")
    parser.add_argument("--rate", type=float, default=1500.0, help="messages per second of the phase at a fixed rate")
    parser.add_argument("--linger-ms", type=int, default=2)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(CANDIDATES),
        default=list(USUAL),
        help="candidates; ours-python is not compiled",
    )
    parser.add_argument("--phases", nargs="+", choices=["64", "256", "rate", "half"], default=["64", "256", "rate"])
    parser.add_argument("--directory", type=Path, default=None, help="for data, removed in the end")
    parser.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "segwire" / "benchmarks" / "ingest", help="built peers"
    )
    return parser.parse_args()


def _compare(options: argparse.Namespace, place: Place, load: Load) -> None:
    admin = AdminClient({"bootstrap.servers": place.bootstrap_servers, "log_level": 0})
    phases = [_phase(name, options.rate) for name in options.phases if name != "half"]
    servers: list[Server] = []
    try:
        for name in options.only:
            candidate = CANDIDATES[name](place)
            _create(admin, candidate)
            servers.append(Server(candidate, place.directory / f"{name}.log"))
            load.run(servers[-1], _phase("64", 0), _WARM_S, lambda: 0)
        results = _rounds(options, servers, phases, load, place.bootstrap_servers)
        print("\n" + render(results, phases, _FIRST))
        if "half" in options.phases:
            _at_half_rate(options, servers[0], results, load, place.bootstrap_servers)
    finally:
        for server in servers:
            server.stop()


def _rounds(
    options: argparse.Namespace, servers: list[Server], phases: list[Phase], load: Load, bootstrap_servers: str
) -> dict[str, dict[str, list[Figures]]]:
    results: dict[str, dict[str, list[Figures]]] = {
        server.candidate.name: {phase.name: [] for phase in phases} for server in servers
    }
    for number in range(options.rounds):
        for phase in phases:
            # Ours and a peer are compared within moments of each other.
            for server in servers:
                count = counting(bootstrap_servers, server.candidate.topic)
                figures = load.run(server, phase, options.seconds, count)
                results[server.candidate.name][phase.name].append(figures)
                print(
                    f"round {number + 1}, {phase.name}, {server.candidate.name}: {_brief(figures)}, "
                    f"load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
    return results


def _at_half_rate(
    options: argparse.Namespace, server: Server, results: dict[str, dict[str, list[Figures]]], load: Load, brokers: str
) -> None:
    """Measure the first candidate at half of the highest rate that it was seen to answer."""
    best = max(figures.per_s for rounds in results[server.candidate.name].values() for figures in rounds)
    phase = Phase(f"half of the highest rate, {best / 2:,.0f}/s", 256, best / 2)
    count = counting(brokers, server.candidate.topic)
    rounds = [load.run(server, phase, options.seconds, count) for _ in range(options.rounds)]
    print(render({server.candidate.name: {phase.name: rounds}}, [phase], server.candidate.name))


def _phase(name: str, rate_per_s: float) -> Phase:
    if name == "rate":
        return Phase(f"at {rate_per_s:,.0f}/s", 64, rate_per_s)
    return Phase(f"{name} in flight", int(name))


def _create(admin: AdminClient, candidate: Candidate) -> None:
    if candidate.ready_file is None:
        admin.create_topics([NewTopic(candidate.topic, _PARTITIONS, 1)])[candidate.topic].result(60)
        return
    environment = {
        **os.environ, **candidate.environment, "SEGWIRE_KAFKA__PARTITIONS": str(_PARTITIONS),
        "SEGWIRE_KAFKA__REPLICATION_FACTOR": "1",
    }  # fmt: skip
    command = [candidate.command[0], "topics", "apply"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def counting(bootstrap_servers: str, topic: str) -> Callable[[], int]:
    """Return what counts a topic's records."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "bench", "log_level": 0})

    def count() -> int:
        time.sleep(0.1)
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        return sum(consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=30)[1] for n in partitions)

    return count


def _brief(figures: Figures) -> str:
    doubts = f", {figures.refused} refused, {figures.unstored} not stored" * bool(figures.refused or figures.unstored)
    return (
        f"{figures.cpu_us:.1f} µs, {figures.per_s:,.0f}/s, p50 {figures.p50_ms:.2f} ms, p99 {figures.p99_ms:.2f} ms, "
        f"{figures.rss_bytes / 1e6:.0f} MB{doubts}"
    )
