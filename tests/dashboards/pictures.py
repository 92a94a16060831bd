"""Draws boards from what their queries answer about a real run: `make pictures` (some ten minutes).

Needs matplotlib, which nothing else here does. Grafana itself is not asked. With the name of a file that such a run has
written it draws that one again.
"""

import json
import random
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
from tests.dashboards.drawing import draw, line_of
from tests.dashboards.live import ROOT, RULES, substituted
from tests.dashboards.traffic import OPEN, send_bad, simulate, stop_kafka_for_a_while
from tests.support.prometheus import Course, Prometheus, running_prometheus
from tests.support.stack import Segwire, Up, running_up

FOLDER = ROOT / "docs" / "pictures"
BOARDS = (OVERVIEW, AUDIENCE)
MINUTES = 10.0
WARM_UP_S = 60
RATE = 15
STEP_S = 5.0
STANDSTILL_S = 4.0
SEGMENTS = tuple(str(10_000 + number) for number in (0, 2, 4, 7, 11))
SAID = "Drawn from what its queries answered about a real run, in which Kafka stood still for some seconds."
_TRAFFIC = ("--users", "3000", "--segments", "16", "--batch-every", "150")

Answers = dict[str, list[Course]]


def configuration() -> dict[str, Any]:
    """Return a configuration with the segments whose sizes are shown."""
    return {
        "sources": {OPEN: {"allow_unauthenticated": True}},
        "fan_out": {"commit_interval_ms": 100},
        "membership": {"commit_interval_ms": 100, "metrics_segments": list(SEGMENTS)},
    }


def play(up: Up, seconds: float) -> None:
    """Now and then send something bad, and let Kafka stand still once."""
    dice, begun_s, stood_still = random.Random(1), time.monotonic(), False
    while (passed_s := time.monotonic() - begun_s) < seconds:
        if dice.random() < 0.2:
            send_bad(up)
        if not stood_still and passed_s > 0.6 * seconds:
            stop_kafka_for_a_while(up, STANDSTILL_S)
            stood_still = True
        time.sleep(10)  # what happens meanwhile is the picture


def answers(prometheus: Prometheus, since_s: float, until_s: float) -> Answers:
    """Return what every query of the boards gave over a time."""
    expressions = {query.expr for board in BOARDS for query in board.queries()}
    return {
        expr: prometheus.query_range(substituted(scoped(expr), "1m"), since_s, until_s, STEP_S) for expr in expressions
    }


def run(minutes: float) -> Answers:
    """Let a pipeline run under traffic, and return what the queries gave."""
    folder = Path(tempfile.mkdtemp(prefix="segwire-pictures-"))
    (folder / "home").mkdir()
    configured = folder / "segwire.yaml"
    configured.write_text(yaml.safe_dump(configuration()), encoding="utf-8")
    segwire = Segwire(Path(sys.executable).parent / "segwire", folder / "home")
    options = ("--config", str(configured), "--port", "0", "--with", "postgres")
    with running_up(segwire, folder / "data", *options) as up:
        targets = {name: urlsplit(url).netloc for name, url in up.urls.items() if name.endswith("-management")}
        sender = simulate(up, int(WARM_UP_S + 60 * minutes) + 30, RATE, *_TRAFFIC)
        try:
            time.sleep(WARM_UP_S)  # the start of a pipeline is not its everyday
            with running_prometheus(folder / "prometheus", targets, RULES) as prometheus:
                since_s = time.time() + 60  # a rate needs a minute
                play(up, 60 * minutes)
                return answers(prometheus, since_s, time.time())
        finally:
            sender.terminate()
            sender.wait()


def draw_all(found: Answers) -> None:
    """Draw each board."""

    def draw_one(board: Board) -> None:
        data = {query: [line_of(query.legend, course) for course in found[query.expr]] for query in board.queries()}
        draw(board, data, SAID, FOLDER / f"{board.name}.png")
        click.echo(FOLDER / f"{board.name}.png")

    for board in BOARDS:
        draw_one(board)


def main(again: str | None = None) -> int:
    if again is None:
        found = run(MINUTES)
        file = Path(tempfile.mkdtemp(prefix="segwire-pictures-")) / "answers.json"
        file.write_text(json.dumps(found), encoding="utf-8")
        click.echo(f"what the queries gave: {file}")
    else:
        found = json.loads(Path(again).read_text(encoding="utf-8"))
    draw_all(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
