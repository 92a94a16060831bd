"""What the pages show is done as a reader does it: every command in a `console` block, in its order, and its answer."""

import shutil

import pytest

from tests.support.documented import blocks
from tests.support.pages import ROOT, Reader
from tests.support.stack import Up

# Each after those whose messages it reads.
PAGES = ("docs/QUICKSTART.md", "docs/TOPICS.md", "docs/OPERATIONS.md")
ELSEWHERE = {"README.md": "tests/e2e/test_demo.py"}


@pytest.fixture(scope="module")
def reader(shared_up: Up, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(shared_up, tmp_path_factory.mktemp("reader") / "clone")


@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages show curl")
@pytest.mark.parametrize("name", PAGES)
def test_page_does_what_it_says(reader: Reader, name: str) -> None:
    assert reader.follow((ROOT / name).read_text(encoding="utf-8")) > 0


def test_every_page_with_commands_to_run_is_run() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    shown = {
        str(path.relative_to(ROOT))
        for path in pages
        if any(block.language == "console" for block in blocks(path.read_text(encoding="utf-8")))
    }
    assert shown == {*PAGES, *ELSEWHERE}
