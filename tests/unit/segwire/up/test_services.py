"""What the children are started with."""

import os
from pathlib import Path

import pytest

from runtime.process import PARENT_VARIABLE
from runtime.settings import IngestSettings, KafkaSettings, Settings
from runtime.settings_loader import load_settings
from segwire.up.kafka import own_settings
from segwire.up.services import child_environment, postgres_service, services


def _child_settings(settings: Settings, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, at: Path) -> Settings:
    monkeypatch.chdir(at)
    return load_settings(None, child_environment(settings, environ))


def test_child_reads_the_ports_and_kafka_that_up_decided(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kafka = own_settings(KafkaSettings(topic_prefix="t.", properties={"security.protocol": "SSL"}), "127.0.0.1:19092")
    settings = Settings(kafka=kafka, ingest=IngestSettings(port=21_000, management_port=21_001))
    environ = {
        "segwire_kafka__replication_factor": "2",
        "SEGWIRE_Kafka__Bootstrap_Servers": "elsewhere:9092",
        "SEGWIRE_KAFKA__PROPERTIES__security.protocol": "SASL_SSL",
        "SEGWIRE_KAFKA__TOPIC_PREFIX": "t.",
        "PATH": "/bin",
    }
    read = _child_settings(settings, environ, monkeypatch, tmp_path)
    assert read.kafka == kafka
    assert (read.ingest.port, read.ingest.management_port) == (21_000, 21_001)
    assert read.kafka.properties == {}
    assert read.kafka.replication_factor == 1


def test_properties_of_another_kafka_reach_the_child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    properties: dict[str, str | int | float | bool] = {"security.protocol": "SASL_SSL", "socket.timeout.ms": 7000}
    settings = Settings(kafka=KafkaSettings(bootstrap_servers="b:9092", properties=properties))
    assert _child_settings(settings, {}, monkeypatch, tmp_path).kafka.properties == properties


def test_child_knows_its_parent_and_keeps_the_rest_of_the_environment() -> None:
    environment = child_environment(Settings(), {"HOME": "/home/a", "SEGWIRE_LOG__LEVEL": "debug"})
    assert environment[PARENT_VARIABLE] == str(os.getpid())
    assert environment["HOME"] == "/home/a"
    assert environment["SEGWIRE_LOG__LEVEL"] == "debug"


def test_children_drain_in_the_order_of_the_pipeline() -> None:
    found = services(Settings(), Path("a.yaml"), {})
    assert [service.name for service in found] == ["ingest", "fan-out", "membership"]
    assert found[1].command[-8:] == (
        *("process", "fan-out", "--config", "a.yaml"),
        *("--data-dir", ".segwire", "--ready-file", ".segwire/run/fan-out.ready.json"),
    )


def test_ingest_may_drain_as_long_as_it_is_configured_to() -> None:
    found = services(Settings(ingest=IngestSettings(drain_timeout_ms=40_000)), None, {})
    assert found[0].drain_s > 40


def test_sinks_and_destinations_are_children_and_a_database_of_ours_drains_after_them() -> None:
    partner = {"url": "https://p.example/", "client_id": "1", "destination_id": "2", "segments": {"3": {}}}
    fields = {"sinks": {"w": {"type": "postgres", "dsn": "dbname=x"}}, "destinations": {"p": partner}}
    settings = Settings.model_validate(fields)
    found = [*services(settings, None, {}), postgres_service(settings, {})]
    assert [service.name for service in found[2:]] == ["membership", "sink-w", "sink-p", "postgres"]
    assert found[3].command[4:8] == ("sink", "w", "--port", "8084")
    assert found[4].management_url == "http://127.0.0.1:8085"
    assert (found[5].management_url, found[5].writes_ready_file) == (None, True)
