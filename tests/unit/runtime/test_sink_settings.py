"""Sinks and destinations in the configuration: names, ports, secrets."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.errors import ConfigurationError
from runtime.settings import Settings
from runtime.settings_loader import load_settings

POSTGRES = {"type": "postgres", "dsn_file": "/run/secrets/dsn"}
PARTNER = {
    "url": "https://partner.example/in",
    "client_id": 74323,
    "destination_id": "423",
    "segments": {14356: {"value": 7}},
}


def settings(**sections: Any) -> Settings:
    return Settings.model_validate(sections)


def test_sinks_then_destinations_count_on_from_8084() -> None:
    found = settings(sinks={"b": POSTGRES, "a": POSTGRES}, destinations={"c": PARTNER}).effective_sinks()
    assert {name: section.management_port for name, section in found.items()} == {"b": 8084, "a": 8085, "c": 8086}


def test_a_port_of_ones_own_is_kept_and_given_to_nobody_else() -> None:
    found = settings(sinks={"a": POSTGRES, "b": {**POSTGRES, "management_port": 8084}}).effective_sinks()
    assert {name: section.management_port for name, section in found.items()} == {"a": 8085, "b": 8084}


def test_ports_can_be_put_in_by_name() -> None:
    found = settings(sinks={"a": POSTGRES}, destinations={"c": PARTNER}).with_sink_ports({"c": 9000})
    assert {name: section.management_port for name, section in found.effective_sinks().items()} == {
        "a": 8084,
        "c": 9000,
    }


def test_a_sink_and_a_destination_cannot_share_a_name() -> None:
    with pytest.raises(ValidationError, match=r"sinks\.a and destinations\.a have one name.*rename one"):
        settings(sinks={"a": POSTGRES}, destinations={"a": PARTNER})


@pytest.mark.parametrize("more", [{"dsn_file": None}, {"dsn": "dbname=x"}])
def test_a_database_is_named_by_a_file_or_a_value_and_not_by_both(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="needs dsn_file, the path of a file, or dsn; and not both"):
        settings(sinks={"a": {**POSTGRES, **more}})


def test_an_unknown_type_is_refused_with_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "segwire.yaml"
    path.write_text("sinks: {a: {type: oracle, dsn_file: x}}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"sinks\.a\.type: Input should be 'postgres'; it is 'oracle'"):
        load_settings(path, {})


def test_a_connection_string_from_a_variable_is_taken_as_it_is_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "segwire.yaml"
    path.write_text("{}", encoding="utf-8")
    variables = {"SEGWIRE_SINKS__A__TYPE": "postgres", "SEGWIRE_SINKS__A__DSN": "password=hunter2"}
    assert load_settings(path, variables).sinks["a"].dsn is not None
    with pytest.raises(ConfigurationError, match="not both") as raised:
        load_settings(path, {**variables, "SEGWIRE_SINKS__A__DSN_FILE": "/x"})
    assert "hunter2" not in str(raised.value)
