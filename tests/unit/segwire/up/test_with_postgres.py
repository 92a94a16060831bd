"""`--with postgres`: the sink that it adds."""

from pathlib import Path

import pytest

from runtime.errors import ConfigurationError
from runtime.settings import Settings
from runtime.settings_loader import load_settings
from segwire.cli.options import with_ports
from segwire.embedded.postgres.container import TestcontainersPostgres
from segwire.up.services import child_environment, postgres_service
from segwire.up.with_postgres import POSTGRES_CONTAINER, add_postgres, parse_servers, postgres_variables


def test_the_children_know_the_sink_that_was_added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = with_ports(add_postgres(Settings(data_dir=str(tmp_path))), 9000)
    assert settings.effective_sinks()["postgres"].management_port == 9004
    monkeypatch.chdir(tmp_path)
    read = load_settings(None, child_environment(settings, {}) | postgres_variables(settings))
    assert read.sinks["postgres"].dsn_file == str(tmp_path / "postgres" / "dsn")


def test_it_may_run_in_a_container_at_an_address_that_every_start_keeps(tmp_path: Path) -> None:
    assert parse_servers("postgres:testcontainers") == {POSTGRES_CONTAINER}
    settings = add_postgres(Settings(data_dir=str(tmp_path)), container=True)
    service = postgres_service(settings, {}, container=True)
    assert service.command[-1] == "--testcontainers"
    dsn = TestcontainersPostgres(tmp_path).dsn
    assert settings.sinks["postgres"].dsn_file == str(tmp_path / "postgres" / "dsn")
    assert TestcontainersPostgres(tmp_path).dsn == dsn == (tmp_path / "postgres" / "dsn").read_text().strip()


def test_a_sink_of_that_name_is_not_replaced() -> None:
    settings = Settings.model_validate({"sinks": {"postgres": {"type": "postgres", "dsn": "dbname=x"}}})
    with pytest.raises(ConfigurationError, match="adds a sink of the name postgres"):
        add_postgres(settings)


def test_an_unknown_server_is_refused_with_those_there_are() -> None:
    assert parse_servers("") == frozenset()
    assert parse_servers("postgres, postgres") == {"postgres"}
    with pytest.raises(
        ConfigurationError,
        match="--with postgres,oracle: 'oracle' is not known; known: postgres, postgres:testcontainers, registry",
    ):
        parse_servers("postgres,oracle")
