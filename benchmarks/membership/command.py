"""The command line: builds the candidates, runs them in turn on one broker, prints the tables."""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from membership.candidate import Candidate
from membership.cluster import Cluster
from membership.events import Load, fill
from membership.measure import Figures, run
from membership.ours import Ours
from membership.ours import build as build_ours
from membership.process import BROKER_CORE
from membership.quix import Quix, install
from membership.report import render
from membership.streams import Streams, build
from membership.surroundings import described
from membership.views import View, differences, read_view
from segwire.embedded.kafka.server import EmbeddedKafka

PREFIX = "bench-"
INPUT = f"{PREFIX}segment-events"
NAMES = ("ours", "ours-python", "streams", "streams-uncached", "quix")
USUAL = tuple(name for name in NAMES if name != "ours-python")


def main() -> None:
    """Run the benchmark."""
    options = _options()
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two cores are needed: one for the broker, one for the candidates")
    # The broker inherits this; the candidates get the other core.
    os.sched_setaffinity(0, {BROKER_CORE})
    options.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="segwire-benchmark-", dir=options.directory) as name:
        directory = Path(name)
        with EmbeddedKafka(directory / "broker", port=0, train=False) as kafka:
            _compare(options, directory, Cluster(kafka.bootstrap_servers))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--extra", type=int, default=1_000_000, help="messages beyond the first of each user")
    parser.add_argument("--quick", action="store_true", help="one round of 20 000 users and 180 000 messages more")
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, default=USUAL, help="candidates; ours-python is not compiled"
    )
    parser.add_argument("--directory", type=Path, default=None, help="for data, removed in the end")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "segwire-benchmark-peers", help="for built peers"
    )
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.users, options.extra = 1, 20_000, 180_000
    return options


def _candidates(options: argparse.Namespace, directory: Path, cluster: Cluster) -> list[Candidate]:
    wanted = set(options.only)
    class_path = build(options.cache) if wanted & {"streams", "streams-uncached"} else ""
    python = install(options.cache) if "quix" in wanted else Path()
    make: dict[str, Callable[[], Candidate]] = {
        "ours": lambda: Ours(cluster, PREFIX, directory / "ours", build_ours(options.cache, compiled=True)),
        "ours-python": lambda: Ours(
            cluster,
            PREFIX,
            directory / "ours-python",
            build_ours(options.cache, compiled=False),
            "Segwire, not compiled",
        ),
        "streams": lambda: Streams(cluster, INPUT, directory / "streams", class_path, cache=True),
        "streams-uncached": lambda: Streams(cluster, INPUT, directory / "uncached", class_path, cache=False),
        "quix": lambda: Quix(cluster, INPUT, directory / "quix", python),
    }
    return [make[name]() for name in NAMES if name in wanted]


def _compare(options: argparse.Namespace, directory: Path, cluster: Cluster) -> None:
    candidates = _candidates(options, directory, cluster)
    cluster.create(INPUT, "delete")
    load = Load(options.users, options.extra)
    filled = fill(cluster.bootstrap_servers, INPUT, load)
    print(
        f"{described()}\n"
        f"{load.messages:,} messages of {filled.size_bytes / load.messages:.0f} bytes, {filled.segments:,} segment "
        f"events, {load.users:,} users",
        flush=True,
    )
    # The users' first messages, and half as many more as are measured, are for warming up.
    warm = load.users + load.extra // 3
    results: dict[str, list[Figures]] = {candidate.name: [] for candidate in candidates}
    views: dict[str, str] = {}
    reference: View | None = None
    for number in range(options.rounds):
        for candidate in candidates:
            figures = run(candidate, cluster, INPUT, filled, warm)
            results[candidate.name].append(figures)
            print(f"round {number + 1}, {candidate.name}: {figures}, load {os.getloadavg()[0]:.1f}", flush=True)
            if number == 0:
                view = read_view(cluster.bootstrap_servers, candidate.view, avro=isinstance(candidate, Ours))
                reference = reference or view
                views[candidate.name] = f"{len(view):,} memberships, {differences(view, reference)}"
    print("\nPublished views: " + "; ".join(f"{name}: {said}" for name, said in views.items()) + "\n")
    print(render(results, next(iter(results))))
    if any(not said.endswith("equal") for said in views.values()):
        raise SystemExit("the published views differ")
