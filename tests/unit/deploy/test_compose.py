"""The Compose file: valid, pinned, and understood by what it configures. Nothing is started."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import click
import jsonschema_rs
import pytest
import yaml

from runtime.settings import Settings
from runtime.settings_loader import load_settings
from segwire.cli.main import cli
from segwire.embedded.kafka.container import IMAGE as KAFKA_IMAGE
from segwire.embedded.kafka.properties import SINGLE_REPLICA
from segwire.embedded.registry.pin import REGISTRY_VERSION

DEPLOY = Path(__file__).parents[3] / "deploy"
SCHEMA = Path(__file__).parents[2] / "data" / "compose-spec.schema.json.gz"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
CONFIGURATION = "/etc/segwire/segwire.yaml"


def read(path: str) -> Any:
    return yaml.safe_load((DEPLOY / path).read_text(encoding="utf-8"))


def environment(name: str) -> dict[str, str]:
    """Return the variables of a service, with the defaults of what it takes from outside."""
    given = SERVICES[name].get("environment", {})
    return {key: re.sub(r"\$\{\w+:-(\w*)\}", r"\1", value) for key, value in given.items()}


def settings(name: str) -> Settings:
    return load_settings(DEPLOY / "compose" / "segwire.yaml", environment(name))


def mounts(service: dict[str, Any]) -> list[dict[str, Any]]:
    return [volume for volume in service.get("volumes", []) if isinstance(volume, dict)]


def test_it_is_a_compose_file() -> None:
    schema = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    validator = jsonschema_rs.validator_for(schema)
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []
    wrong = {**COMPOSE, "services": {"ingest": {"image": "x", "port": []}}}
    assert not validator.is_valid(wrong)


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_version(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].rpartition(":")
    assert re.fullmatch(r"v?\d+(\.\d+)*", tag)


def test_versions_are_those_that_the_tests_run() -> None:
    assert SERVICES["kafka"]["image"] == KAFKA_IMAGE.name
    assert SERVICES["registry"]["image"].endswith(f":{REGISTRY_VERSION}")
    for name in OURS:
        assert SERVICES[name]["image"] in (DEPLOY / "Containerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name: str) -> None:
    for mount in mounts(SERVICES[name]):
        assert mount["read_only"]
        assert (DEPLOY / mount["source"]).exists()
    named = [volume.split(":")[0] for volume in SERVICES[name].get("volumes", []) if isinstance(volume, str)]
    assert set(named) <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert [port for port in SERVICES[name].get("ports", []) if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", OURS)
def test_our_commands_exist_and_take_their_arguments(name: str) -> None:
    *words, option, path = SERVICES[name]["command"]
    assert (option, path) == ("--config", CONFIGURATION)
    assert [mount["source"] for mount in mounts(SERVICES[name]) if mount["target"] == CONFIGURATION]
    group: click.Command = cli
    while words and isinstance(group, click.Group):
        found = group.get_command(click.Context(group), words.pop(0))
        assert found is not None
        group = found
    with group.make_context(name, [*words, option, path], resilient_parsing=False) as context:
        assert context.params["config"] == Path(CONFIGURATION)


@pytest.mark.parametrize("name", OURS)
def test_our_settings_are_known_and_reach_what_runs_beside(name: str) -> None:
    found = settings(name)
    host, _, port = str(found.kafka.bootstrap_servers).partition(":")
    assert f"//{host}:{port}" in SERVICES[host]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert found.schema_registry.url == "http://registry:8080/apis/ccompat/v7"
    assert found.data_dir == "/var/lib/segwire"


def test_the_sink_is_configured() -> None:
    sink = settings("warehouse").sinks["warehouse"]
    assert sink.dsn is not None
    password = environment("postgres")["POSTGRES_PASSWORD"]
    assert sink.dsn.get_secret_value() == f"host=postgres dbname=segwire user=postgres password={password}"
    assert SERVICES["warehouse"]["command"][:2] == ["sink", "warehouse"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_more_rights_than_they_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def management_ports() -> dict[str, int]:
    """Return where each of our services answers."""
    found = settings("warehouse")
    return {
        "ingest": found.ingest.management_port,
        "fan-out": found.fan_out.management_port,
        "membership": found.membership.management_port,
        "warehouse": found.effective_sinks()["warehouse"].management_port,
    }


def test_probes_and_prometheus_ask_where_the_services_answer() -> None:
    scraped = [each["targets"] for each in read("compose/prometheus.yaml")["scrape_configs"][0]["static_configs"]]
    assert scraped == [[f"{name}:{port}"] for name, port in management_ports().items()]
    for name, port in management_ports().items():
        assert f"http://127.0.0.1:{port}/readyz" in SERVICES[name]["healthcheck"]["test"][-1]
    assert set(OURS) == {"topics", *management_ports()}


def test_prometheus_here_labels_as_the_one_beside_up() -> None:
    def labels(path: str) -> list[Any]:
        return [each["labels"] for each in read(path)["scrape_configs"][0]["static_configs"]]

    assert labels("compose/prometheus.yaml") == labels("prometheus/prometheus.yaml")


def test_one_broker_asks_for_no_second_one() -> None:
    given = SERVICES["kafka"]["environment"]
    wanted = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in SINGLE_REPLICA.items()}
    assert {name: given.get(name) for name in wanted} == wanted
    assert settings("topics").kafka.replication_factor == 1


def test_grafana_finds_the_dashboards_and_their_source() -> None:
    (provider,) = read("compose/grafana/dashboards/segwire.yaml")["providers"]
    mounted = {mount["target"]: mount["source"] for mount in mounts(SERVICES["grafana"])}
    boards = DEPLOY / mounted[provider["options"]["path"]]
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert (boards / home.name).exists()
    (source,) = read("compose/grafana/datasources/prometheus.yaml")["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)


def test_who_is_waited_for_can_be_waited_for() -> None:
    for service in SERVICES.values():
        awaited = service.get("depends_on", {})
        for name, how in awaited.items() if isinstance(awaited, dict) else ():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]
            else:
                assert SERVICES[name]["restart"] == "no"
