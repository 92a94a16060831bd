"""Renders what the chart takes from the code: `python -m deploy.helm.render` writes `deploy/helm/segwire/files/`."""

from pathlib import Path

import yaml

from deploy.grafana.render import rendered as rendered_dashboards
from deploy.prometheus.render import rules_text
from schemas.topics import TOPICS, outbound_state

FOLDER = Path(__file__).parent / "segwire" / "files"

_HEAD = "# Rendered from the manifest: python -m deploy.helm.render\n"


def rendered() -> dict[str, str]:
    """Return the text of every file under its path below `FOLDER`."""
    dashboards = {f"dashboards/{name}": text for name, text in rendered_dashboards().items()}
    return {"topics.yaml": topics_text(), "rules.yaml": rules_text(), **dashboards}


def topics_text() -> str:
    """Return every topic with its settings, and those of the state that each destination has."""
    manifest = {
        "topics": [{"name": topic.name, "config": topic.configuration()} for topic in TOPICS],
        "outboundState": outbound_state("any").configuration(),
    }
    return _HEAD + yaml.safe_dump(manifest, sort_keys=False)


if __name__ == "__main__":
    for name, text in rendered().items():
        file = FOLDER / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
