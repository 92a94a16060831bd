"""Where the shared cache is."""

import os
from pathlib import Path

import pytest

from segwire.embedded.kafka.cache import default_cache_dir, exclusive_or_none
from segwire.embedded.kafka.java import KEPT_START_CACHES, prune_start_caches


def test_cache_follows_xdg() -> None:
    assert default_cache_dir({"XDG_CACHE_HOME": "/var/c"}) == Path("/var/c/segwire/kafka-4.3.1")


@pytest.mark.parametrize("environ", [{}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}])
def test_cache_is_below_home_where_xdg_says_nothing_usable(environ: dict[str, str]) -> None:
    assert default_cache_dir(environ) == Path.home() / ".cache/segwire/kafka-4.3.1"


def test_lock_that_is_held_is_not_waited_for(tmp_path: Path) -> None:
    with exclusive_or_none(tmp_path / "lock") as first, exclusive_or_none(tmp_path / "lock") as second:
        assert (first, second) == (True, False)


def test_oldest_start_caches_are_removed(tmp_path: Path) -> None:
    for age in range(KEPT_START_CACHES + 2):
        path = tmp_path / f"start-{age}.aot"
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    prune_start_caches(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"start-{n}.aot" for n in range(KEPT_START_CACHES)]
