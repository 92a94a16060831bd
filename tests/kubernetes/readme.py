"""The commands of the chart's README, which tests run as they are written."""

import re
from pathlib import Path

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "segwire"


def readme_commands() -> list[list[str]]:
    """Return the commands that lead to a 200, word by word."""
    text = (CHART / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(kubectl create secret.*?)```", text, re.DOTALL)
    return [line.split() for line in block.replace("\\\n", " ").splitlines()]
