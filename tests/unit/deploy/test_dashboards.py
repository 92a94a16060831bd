"""The dashboards: nothing undeclared, nothing stale, and every line has a meaning."""

import json
import re
from collections import Counter

import pytest

from deploy.grafana.board import Board, Panel, Query, scoped
from deploy.grafana.overview import OVERVIEW
from deploy.grafana.render import BOARDS, FOLDER, rendered
from deploy.prometheus.render import ALERTS, rule_groups
from tests.support.promql import declared_series, selectors, undeclared

QUERIES = [(board.name, query) for board in BOARDS for query in board.queries()]
PANELS = [panel for board in BOARDS for row in board.rows for panel in row.panels]
# What nobody looks at while all is well: reached through a log line or an alert.
ON_NO_BOARD = {"segwire_secret_reloads_total"}


def test_committed_dashboards_are_not_stale() -> None:
    committed = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json")}
    assert committed == rendered(), "python -m deploy.grafana.render"


@pytest.mark.parametrize(("board", "query"), QUERIES)
def test_queries_name_only_what_the_code_declares(board: str, query: Query) -> None:
    assert undeclared(query.expr) == []


@pytest.mark.parametrize(("board", "query"), QUERIES)
def test_legends_name_only_labels_that_lines_have(board: str, query: Query) -> None:
    named = set(re.findall(r"{{(\w+)}}", query.legend))
    kept = {label for group in re.findall(r"by \(([^)]*)\)", query.expr) for label in re.split(r",\s*", group)}
    assert named <= kept | ({"instance"} if " by " not in query.expr else set())


def test_what_boards_read_is_recorded() -> None:
    recorded = {rule.get("record") for group in rule_groups()["groups"] for rule in group["rules"]}
    read = {name for _, query in QUERIES for name in re.findall(r"segwire:[a-z0-9_:]+", query.expr)}
    assert read
    assert read <= recorded


def test_every_counter_and_gauge_of_ours_is_on_a_board() -> None:
    ours = {name for name in declared_series() if name.startswith("segwire_") and not name.endswith(("_sum", "_count"))}
    shown = {name for _, query in QUERIES for name, _ in selectors(query.expr)}
    assert ours - shown - ON_NO_BOARD == set()


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_each_panel_says_what_it_means(panel: Panel) -> None:
    assert panel.means.endswith(".")
    assert 1 <= len(panel.queries) <= 8


def test_rows_are_filled_from_left_to_right() -> None:
    for board in BOARDS:
        for name, panels in ((row.title, row.panels) for row in board.rows):
            assert all(panel.width <= 24 for panel in panels), f"{board.name}: {name}"


def test_names_and_numbers_are_used_once() -> None:
    assert [name for name, count in Counter(board.name for board in BOARDS).items() if count > 1] == []
    for name, text in rendered().items():
        numbers = [panel["id"] for panel in json.loads(text)["panels"]]
        assert len(numbers) == len(set(numbers)), name


def test_overview_leads_to_every_runbook() -> None:
    missing = [alert.name for alert in ALERTS if f"${{runbooks}}/{alert.runbook}.md" not in OVERVIEW.text]
    assert missing == []
    assert "{{" not in OVERVIEW.text


def test_choices_of_a_board_are_made_and_all_is_chosen_to_begin_with() -> None:
    for board in BOARDS:
        variables = {v["name"]: v for v in json.loads(rendered()[f"{board.name}.json"])["templating"]["list"]}
        for choice in board.choices:
            assert any(f"${choice.name}" in query.expr for query in board.queries())
            assert variables[choice.name]["query"] == f"label_values({choice.series}, {choice.name})"
            assert variables[choice.name]["allValue"] == ".*"
        used = {name for query in board.queries() for name in re.findall(r"\$(\w+)", query.expr)}
        assert used - {"__rate_interval"} <= variables.keys()


def test_runbooks_address_is_a_variable_of_the_overview() -> None:
    variables = json.loads(rendered("https://wiki.example.org/r")["overview.json"])["templating"]["list"]
    (found,) = [variable for variable in variables if variable["name"] == "runbooks"]
    assert found["query"] == "https://wiki.example.org/r"


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("sum(segwire_a)", 'sum(segwire_a{namespace=~"$namespace"})'),
        ('rate(segwire_a_total{b="c"}[5m])', 'rate(segwire_a_total{namespace=~"$namespace",b="c"}[5m])'),
        ("1 - min(segwire:a:ratio_1h)", '1 - min(segwire:a:ratio_1h{namespace=~"$namespace"})'),
        ('count(ALERTS{alertname=~"Segwire.+"})', 'count(ALERTS{alertname=~"Segwire.+"})'),
    ],
)
def test_series_are_restricted_to_the_chosen_namespaces(expr: str, expected: str) -> None:
    assert scoped(expr) == expected


def test_boards_are_found_by_their_names() -> None:
    assert {board.name for board in BOARDS} == {"overview", "ingest", "processors", "sinks", "audience"}
    assert all(isinstance(board, Board) for board in BOARDS)
