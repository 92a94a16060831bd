"""The alerts: nothing undeclared, nothing stale, a runbook and tests for each."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.prometheus.alert import Alert
from deploy.prometheus.render import ALERTS, rule_groups, rules_text
from tests.support.promql import undeclared

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
TESTS = ROOT / "deploy" / "prometheus" / "tests"
RUNBOOKS = ROOT / "docs" / "runbooks"


def all_rules() -> list[dict[str, Any]]:
    return [rule for group in rule_groups()["groups"] for rule in group["rules"]]


def test_committed_rules_are_not_stale() -> None:
    remedy = "python -m deploy.prometheus.render > deploy/prometheus/rules.yaml"
    assert RULES.read_text(encoding="utf-8") == rules_text(), remedy


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_name_only_what_the_code_declares(rule: dict[str, Any]) -> None:
    assert undeclared(rule["expr"]) == []


def test_what_alerts_read_is_recorded() -> None:
    recorded = {rule["record"] for rule in all_rules() if "record" in rule}
    read = {name for rule in all_rules() for name in re.findall(r"segwire:[a-z0-9_:]+", rule["expr"])}
    assert read
    assert read - recorded == set()


def test_names_are_used_once() -> None:
    assert [name for name, count in Counter(alert.name for alert in ALERTS).items() if count > 1] == []


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_each_alert_has_a_runbook(alert: Alert) -> None:
    page = (RUNBOOKS / f"{alert.runbook}.md").read_text(encoding="utf-8")
    assert f"`{alert.name}`" in page.partition("## Meaning")[0]
    positions = [page.find(f"\n## {title}\n") for title in ("Meaning", "Check", "Mend")]
    assert -1 not in positions
    assert positions == sorted(positions)


def test_each_runbook_belongs_to_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {alert.runbook for alert in ALERTS}


def test_each_alert_is_tested_firing_and_silent() -> None:
    told: dict[str, set[bool]] = {alert.name: set() for alert in ALERTS}
    for file in TESTS.glob("*.yaml"):
        for test in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]:
            name = test["name"].split()[0]
            for expected in test["promql_expr_test"]:
                assert f'alertname="{name}"' in expected["expr"]
                told[name].add(bool(expected["exp_samples"]))
    assert {name: both for name, both in told.items() if both != {True, False}} == {}


def test_runbook_links_name_the_pages_of_the_sources_where_no_address_is_given() -> None:
    links = [rule["annotations"]["runbook_url"] for rule in all_rules() if "alert" in rule]
    assert len(links) == len(ALERTS)
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_runbook_links_follow_the_given_address() -> None:
    for group in rule_groups("https://wiki.example.org/segwire/")["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                url = rule["annotations"]["runbook_url"]
                assert url.startswith("https://wiki.example.org/segwire/")
                assert "//" not in url.removeprefix("https://")


@pytest.mark.parametrize(
    ("expression", "finding"),
    [
        ("rate(segwire_ingest_answers[5m])", "series segwire_ingest_answers"),
        ('segwire_ingest_answers_total{state="x"}', "label state of segwire_ingest_answers_total"),
        ("sum by (sink) (segwire_ingest_in_flight)", "grouping by sink"),
        ("segwire_ingest_answer_seconds", "series segwire_ingest_answer_seconds"),
    ],
)
def test_what_is_not_declared_is_found(expression: str, finding: str) -> None:
    assert undeclared(expression) == [finding]


def test_what_is_declared_is_not_found() -> None:
    expression = (
        'histogram_quantile(0.99, sum by (le, pod) (rate(segwire_ingest_answer_seconds_bucket{namespace="a"}[5m])))'
    )
    assert undeclared(expression) == []
