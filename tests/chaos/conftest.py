"""One cluster of three brokers for all runs; the seeds of this time are printed."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.chaos.plan import THEMES
from tests.support.cluster import Cluster, running_cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="session")
def first_seed() -> int:
    """The variable CHAOS_SEED repeats a slice; else every time another round of all themes."""
    chosen = os.environ.get("CHAOS_SEED")
    return int(chosen) if chosen else random.SystemRandom().randrange(10**6) * THEMES
