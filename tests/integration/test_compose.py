"""What the Compose file mounts, read by the programs that it is for."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.prometheus import MISSING, find

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_prometheus_understands_its_configuration(tmp_path: Path) -> None:
    program = find("promtool")
    if program is None:
        pytest.skip(f"promtool is {MISSING}")
    # Beside each other, as they are mounted.
    shutil.copy(DEPLOY / "compose" / "prometheus.yaml", tmp_path)
    shutil.copy(DEPLOY / "prometheus" / "rules.yaml", tmp_path)
    command = [str(program), "check", "config", str(tmp_path / "prometheus.yaml")]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "rules found" in checked.stdout
