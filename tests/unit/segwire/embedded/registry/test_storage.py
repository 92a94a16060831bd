"""What the embedded registry keeps between starts."""

from pathlib import Path

import pytest

from segwire.embedded.registry.errors import EmbeddedRegistryError
from segwire.embedded.registry.storage import RegistryStorage


def test_the_port_is_remembered(tmp_path: Path) -> None:
    storage = RegistryStorage(tmp_path)
    assert storage.remembered_port() is None
    storage.make()
    storage.remember_port(19081)
    assert RegistryStorage(tmp_path).remembered_port() == 19081


@pytest.mark.parametrize("left", ["", "[]", "{}", '{"port": "x"}'])
def test_a_damaged_memory_is_no_obstacle(tmp_path: Path, left: str) -> None:
    storage = RegistryStorage(tmp_path)
    storage.make()
    (storage.root / "segwire.json").write_text(left)
    assert storage.remembered_port() is None


def test_what_the_last_start_left_in_the_scratch_folder_goes(tmp_path: Path) -> None:
    storage = RegistryStorage(tmp_path)
    storage.make()
    (storage.scratch / "vertx-cache").mkdir()
    storage.make()
    assert list(storage.scratch.iterdir()) == []


def test_a_directory_that_its_database_cannot_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedRegistryError, match=r"semicolon .*--data-dir"):
        RegistryStorage(tmp_path / "a;b").make()


def test_last_words_are_without_stack_frames(tmp_path: Path) -> None:
    storage = RegistryStorage(tmp_path)
    storage.make()
    storage.log.write_text("started\nno room\n\tat java.base/x\n\t... 12 more\n\n")
    assert storage.last_lines(5) == ["started", "no room"]
