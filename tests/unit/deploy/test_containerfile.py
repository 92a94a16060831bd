"""The image: what it copies is there and is not ignored, and it does not run as root."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
ALLOWED = {line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}


def copied() -> set[str]:
    """Return the files and folders of the checkout that are copied."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    return {source for line in lines for source in line.split()}


def test_what_is_copied_is_there_and_not_ignored() -> None:
    assert {source for source in copied() if not (ROOT / source).exists()} == set()
    assert {source.split("/")[0] for source in copied()} == ALLOWED


def test_every_package_and_the_hook_that_builds_them_are_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert packages | {"pyproject.toml", "hatch_build.py", "README.md", "LICENSE"} <= copied()


def test_it_runs_as_the_user_that_the_chart_names() -> None:
    assert re.findall(r"^USER (.+)$", CONTAINERFILE, re.MULTILINE) == ["10001:10001"]
    helpers = (ROOT / "deploy" / "helm" / "segwire" / "templates" / "_helpers.tpl").read_text(encoding="utf-8")
    assert "runAsUser: 10001" in helpers
