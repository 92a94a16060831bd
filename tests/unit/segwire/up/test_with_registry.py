"""`--with registry`: what its children and other commands hear of it."""

import json
from pathlib import Path

import pytest

from runtime.errors import ConfigurationError
from runtime.settings import Settings
from runtime.settings_loader import load_settings
from segwire.cli.connection import connected_settings
from segwire.up.hints import url_lines
from segwire.up.lock import UP_FILE, DataLock
from segwire.up.services import child_environment
from segwire.up.with_postgres import parse_servers
from segwire.up.with_registry import check_no_registry, with_registry

URL = "http://127.0.0.1:19081/apis/ccompat/v7"


def test_the_children_know_the_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    read = load_settings(None, child_environment(with_registry(Settings(), URL), {}))
    assert read.schema_registry.url == URL
    assert load_settings(None, child_environment(Settings(), {})).schema_registry.url is None


def test_commands_on_the_same_data_find_it(tmp_path: Path) -> None:
    lock = DataLock(tmp_path)
    document = {"kafka": {"bootstrap_servers": "127.0.0.1:1"}, "schema_registry": {"url": URL}}
    (tmp_path / UP_FILE).write_text(json.dumps(document), encoding="utf-8")
    found = connected_settings(Settings(data_dir=str(tmp_path)))
    lock.release()
    assert (found.kafka.bootstrap_servers, found.schema_registry.url) == ("127.0.0.1:1", URL)


def test_another_registry_is_not_silently_replaced() -> None:
    check_no_registry(Settings())
    with pytest.raises(ConfigurationError, match="leave one of the two out"):
        check_no_registry(with_registry(Settings(), URL))


def test_it_is_known_and_shown() -> None:
    assert parse_servers("registry,postgres") == {"registry", "postgres"}
    assert any(URL in line for line in url_lines({"ingest": "http://i", "registry": URL}, "127.0.0.1:1", "dev"))
