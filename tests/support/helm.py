"""The chart, rendered by Helm as a person would."""

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.tools import MISSING, find

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "segwire"
LIMIT_S = 120

Resource = dict[str, Any]


def run_helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Helm; the test is skipped where there is none."""
    program = find("helm")
    if program is None:
        pytest.skip(f"helm is {MISSING}")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False)


@cache
def render_text(values: str, *options: str) -> str:
    """Render the chart with a file of values beside it."""
    done = run_helm("template", "demo", str(CHART), "-f", str(CHART / values), *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def render(values: str, *options: str) -> list[Resource]:
    """Return every resource that the chart makes."""
    return [each for each in yaml.safe_load_all(render_text(values, *options)) if each]


def of_kind(resources: list[Resource], *kinds: str) -> list[Resource]:
    return [each for each in resources if each["kind"] in kinds]


def pod_of(resource: Resource) -> Resource:
    """Return the pod's specification of a workload."""
    spec: Resource = resource["spec"]["template"]["spec"]
    return spec


def container_of(resource: Resource) -> Resource:
    (container,) = pod_of(resource)["containers"]
    found: Resource = container
    return found


def environment_of(resource: Resource) -> dict[str, str]:
    """Return what the container's process finds; what comes from elsewhere is a 7."""
    return {each["name"]: each.get("value", "7") for each in container_of(resource)["env"]}
