from pathlib import Path

from runtime.settings import Settings
from runtime.settings_loader import setting_paths
from runtime.settings_reference import reference

ROOT = Path(__file__).parents[3]


def test_committed_reference_is_not_stale() -> None:
    assert (ROOT / "docs" / "CONFIGURATION.md").read_text(encoding="utf-8") == reference()


def test_every_setting_is_in_the_reference() -> None:
    page = reference()

    missing = [path for path in setting_paths(Settings) if f"`{path}`" not in page and f"`{path}.*`" not in page]

    assert missing == []
