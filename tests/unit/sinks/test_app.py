"""Which sink a name means."""

from typing import Any

import pytest

from runtime.errors import ConfigurationError
from runtime.settings import Settings
from sinks.app import run_sink

SETTINGS: dict[str, Any] = {"sinks": {"warehouse": {"type": "postgres", "dsn": "dbname=x"}}}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "sink warehous: no sink is configured; add sinks.warehous"),
        (SETTINGS, "sink warehous: there is none of this name; the nearest is warehouse"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        run_sink(Settings.model_validate(settings), "warehous", None)
