"""Renders the dashboards to `dashboards/*.json`: `python -m deploy.grafana.render [--runbooks URL]`."""

import argparse
from pathlib import Path

from deploy.grafana.audience import AUDIENCE
from deploy.grafana.board import Board
from deploy.grafana.ingest import INGEST
from deploy.grafana.overview import OVERVIEW
from deploy.grafana.processors import PROCESSORS
from deploy.grafana.sdk import board_json
from deploy.grafana.sinks import SINKS
from deploy.prometheus.alert import RUNBOOKS_URL

BOARDS: tuple[Board, ...] = (OVERVIEW, INGEST, PROCESSORS, SINKS, AUDIENCE)
FOLDER = Path(__file__).parent / "dashboards"


def rendered(runbooks_url: str = RUNBOOKS_URL) -> dict[str, str]:
    """Return the JSON of every board under the name of its file."""
    return {f"{board.name}.json": board_json(board, runbooks_url) for board in BOARDS}


def _main() -> None:
    parser = argparse.ArgumentParser(description="Renders the Grafana dashboards.")
    parser.add_argument("--runbooks", default=RUNBOOKS_URL, help="where docs/runbooks is read")
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered(parser.parse_args().runbooks).items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _main()
