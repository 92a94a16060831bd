"""The rules and the dashboards' queries as Prometheus itself reads them.

Cases that take long to evaluate run by `make alerts`; `make dashboards` asks for real data.
"""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.grafana.board import scoped
from deploy.grafana.render import BOARDS
from tests.support.prometheus import MISSING, find

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
CASES = ("ingest", "sinks", "processors", "objectives", "slow") if os.environ.get("ALERTS") else ("ingest", "sinks")


def promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = find("promtool")
    if program is None:
        pytest.skip(f"promtool is {MISSING}")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=280, check=False)


def test_rules_are_understood() -> None:
    checked = promtool("check", "rules", str(PROMETHEUS / "rules.yaml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", CASES)
def test_alerts_fire_when_they_should_and_not_else(name: str) -> None:
    tested = promtool("test", "rules", str(PROMETHEUS / "tests" / f"{name}.yaml"))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_queries_of_dashboards_are_understood(tmp_path: Path) -> None:
    queries = [scoped(query.expr).replace("$__rate_interval", "1m") for board in BOARDS for query in board.queries()]
    rules = [{"record": f"query:{number}", "expr": expr} for number, expr in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    checked = promtool("check", "rules", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr
