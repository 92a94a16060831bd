"""Options of the whole suite; they are here so that every choice of tests knows them."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Whole folders stay together: one pipeline, one cluster. The longest first where several run side by side, else last.
TOGETHER = ("e2e", "chaos")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        default="embedded",
        help="the Kafka to test against: embedded (default), testcontainers, or HOST:PORT of one that runs",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of a file, or of a folder that shares much, in one process, in an order that ends soonest."""
    side_by_side = hasattr(config, "workerinput")
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: (_group(item) in TOGETHER) != side_by_side)


def _group(item: pytest.Item) -> str:
    folder, *below = item.path.relative_to(HERE).parts
    return folder if folder in TOGETHER else "/".join([folder, *below])
