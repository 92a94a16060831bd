"""The built wheel in a fresh virtual environment, and one pipeline that tests share where they do no harm to it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.stack import Segwire, Up, five_free_ports, running_up
from tests.support.wheel import installed_once, shared_folder

StartUp = Callable[..., Up]

HERE = Path(__file__).parent
# Several starts of a whole pipeline each, perhaps on a machine that has much else to do.
TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These tests come last, and may take their time: what is wrong is known sooner."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))
    items.sort(key=lambda item: item.path.is_relative_to(HERE))


@pytest.fixture(scope="session")
def segwire(tmp_path_factory: pytest.TempPathFactory) -> Segwire:
    """The installed command, one for all processes of a run; each has a home of its own."""
    commands = installed_once(shared_folder(tmp_path_factory.getbasetemp()))
    return Segwire(commands / "segwire", tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def shared_up(segwire: Segwire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A pipeline with the built-in defaults."""
    data_dir = tmp_path_factory.mktemp("shared") / "data"
    with running_up(segwire, data_dir, "--port", five_free_ports()) as up:
        yield up


@pytest.fixture
def start_up(segwire: Segwire, tmp_path: Path) -> Iterator[StartUp]:
    """Starts a pipeline of a test's own, with options; nothing of it is left afterwards."""
    with ExitStack() as ups:

        def start(*options: str) -> Up:
            return ups.enter_context(running_up(segwire, tmp_path / "data", "--port", five_free_ports(), *options))

        yield start
