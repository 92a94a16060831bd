"""Draws boards from what their queries answer about a real run: `make pictures` (a quarter of an hour).

Needs matplotlib, which nothing else here does. Grafana itself is not asked: the pictures say so.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import yaml

from deploy.grafana.audience import AUDIENCE
from deploy.grafana.board import Board, scoped
from deploy.grafana.overview import OVERVIEW
from tests.dashboards.drawing import Lines, draw, line_of
from tests.dashboards.live import ROOT, RULES, substituted
from tests.dashboards.traffic import OPEN, send_bad, simulate, stop_kafka_for_a_while
from tests.support.prometheus import Prometheus, running_prometheus
from tests.support.stack import Segwire, Up, running_up

FOLDER = ROOT / "docs" / "pictures"
MINUTES = 15
RATE = 20
STEP_S = 5.0
SEGMENTS = tuple(str(10_000 + number) for number in (0, 2, 4, 7, 11))
_TRAFFIC = ("--users", "3000", "--segments", "16", "--batch-every", "180")


def configuration() -> dict[str, Any]:
    """Return a configuration with the segments whose sizes are shown."""
    return {
        "sources": {OPEN: {"allow_unauthenticated": True}},
        "membership": {"metrics_segments": list(SEGMENTS)},
    }


def play(up: Up, minutes: float) -> None:
    """Send traffic, now and then something bad, and let Kafka stand still for some seconds once."""
    sender = simulate(up, int(60 * minutes), RATE, *_TRAFFIC)
    try:
        begun_s = time.monotonic()
        stood_still = False
        while (passed_s := time.monotonic() - begun_s) < 60 * minutes:
            send_bad(up)
            if not stood_still and passed_s > 40 * minutes:
                stop_kafka_for_a_while(up)
                stood_still = True
            time.sleep(30)  # what happens meanwhile is the picture
    finally:
        sender.terminate()
        sender.wait()


def answers(board: Board, prometheus: Prometheus, since_s: float, until_s: float) -> Lines:
    """Return what every query of a board gave over a time."""
    return {
        query: [
            line_of(query.legend, course)
            for course in prometheus.query_range(substituted(scoped(query.expr)), since_s, until_s, STEP_S)
        ]
        for query in board.queries()
    }


def main(minutes: float = MINUTES) -> int:
    folder = Path(tempfile.mkdtemp(prefix="segwire-pictures-"))
    (folder / "home").mkdir()
    configured = folder / "segwire.yaml"
    configured.write_text(yaml.safe_dump(configuration()), encoding="utf-8")
    segwire = Segwire(Path(sys.executable).parent / "segwire", folder / "home")
    options = ("--config", str(configured), "--port", "0", "--with", "postgres")
    with running_up(segwire, folder / "data", *options) as up:
        targets = {name: urlsplit(url).netloc for name, url in up.urls.items() if name.endswith("-management")}
        with running_prometheus(folder / "prometheus", targets, RULES) as prometheus:
            since_s = time.time() + 30  # a rate needs some samples
            play(up, minutes)
            for board in (OVERVIEW, AUDIENCE):
                data = answers(board, prometheus, since_s, time.time())
                said = f"Drawn from its queries' data: {minutes:g} minutes of segwire up, Kafka standing still once."
                draw(board, data, said, FOLDER / f"{board.name}.png")
                click.echo(f"{FOLDER / board.name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:])))
