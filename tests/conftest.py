"""Options of the whole suite; they are here so that every choice of tests knows them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.support.wheel import shared_folder

E2E = Path(__file__).parent / "e2e"


@pytest.fixture(scope="session", autouse=True)
def wheel_in_the_making(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Build and install the wheel beside the first tests, where any that come later need it: none then waits for it."""
    wanted = any(item.path.is_relative_to(E2E) for item in request.session.items)
    if not wanted or os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
        yield
        return
    folder = shared_folder(tmp_path_factory.getbasetemp())
    maker = subprocess.Popen([sys.executable, "-m", "tests.support.wheel", str(folder)], stderr=subprocess.DEVNULL)
    yield
    maker.terminate()
    maker.wait()


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Undo what a test, or the command that it called, did to the logs of this process."""
    yield
    structlog.reset_defaults()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        default="embedded",
        help="the Kafka to test against: embedded (default), testcontainers, or HOST:PORT of one that runs",
    )
    parser.addoption(
        "--postgres", default="embedded", choices=["embedded", "testcontainers"],
        help="the PostgreSQL to test against: embedded (default), or testcontainers",
    )  # fmt: skip
