"""Renders the rules: `python -m deploy.prometheus.render [--runbooks URL] > deploy/prometheus/rules.yaml`."""

import argparse
import sys

import yaml

from deploy.prometheus.alert import RUNBOOKS_URL, Alert, Rule
from deploy.prometheus.ingest_alerts import INGEST_ALERTS
from deploy.prometheus.objectives import STANDING, burn_alerts, recorded_ratios
from deploy.prometheus.processor_alerts import PROCESSOR_ALERTS
from deploy.prometheus.sink_alerts import SINK_ALERTS

ALERTS: tuple[Alert, ...] = (*INGEST_ALERTS, *PROCESSOR_ALERTS, *SINK_ALERTS, *burn_alerts())

_HEAD = "# Rendered: python -m deploy.prometheus.render --runbooks URL > deploy/prometheus/rules.yaml\n"


def rule_groups(runbooks_url: str = RUNBOOKS_URL) -> dict[str, list[Rule]]:
    """Return the rules as Prometheus reads them; ratios over long windows are worked out less often."""
    named = {
        "segwire-ingest": INGEST_ALERTS,
        "segwire-processors": PROCESSOR_ALERTS,
        "segwire-sinks": SINK_ALERTS,
        "segwire-objectives": burn_alerts(),
    }
    groups: list[Rule] = [{"name": "segwire-standing", "interval": "15s", "rules": [STANDING]}]
    groups.append({"name": "segwire-ratios", "interval": "1m", "rules": recorded_ratios()})
    groups += [
        {"name": name, "rules": [alert.rule(runbooks_url) for alert in alerts]} for name, alerts in named.items()
    ]
    return {"groups": groups}


def rules_text(runbooks_url: str = RUNBOOKS_URL) -> str:
    """Return the text of `rules.yaml`."""
    return _HEAD + yaml.safe_dump(rule_groups(runbooks_url), sort_keys=False, allow_unicode=True, width=118)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Renders the Prometheus rules.")
    parser.add_argument("--runbooks", default=RUNBOOKS_URL, help="where docs/runbooks is read")
    sys.stdout.write(rules_text(parser.parse_args().runbooks))


if __name__ == "__main__":
    _main()
