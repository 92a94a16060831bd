"""Ports chosen and addresses written."""

import pytest

from runtime.errors import ConfigurationError
from runtime.settings import IngestSettings, ManagementSettings, Settings
from segwire.up.ports import local_url, service_urls, settle_ports


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("host.example", "http://host.example:80"),
    ],
)
def test_url_is_one_that_this_machine_reaches(host: str, url: str) -> None:
    assert local_url(host, 80) == url
    assert local_url(host, 80, secure=True) == url.replace("http:", "https:")


def test_one_port_for_two_is_refused_with_both_settings_named() -> None:
    settings = Settings(ingest=IngestSettings(port=8082))
    with pytest.raises(ConfigurationError, match=r"fan_out.management_port: 8082 is also ingest.port"):
        settle_ports(settings)


def test_every_sink_and_destination_has_a_port_of_its_own() -> None:
    postgres = {"type": "postgres", "dsn": "dbname=x", "management_port": 0}
    partner = {"url": "https://p.example/", "client_id": "1", "destination_id": "2", "segments": {"3": {}}}
    fields = {
        "sinks": {"a": postgres, "b.c": postgres},
        "destinations": {"d": {**partner, "management_port": 0}},
        "ingest": {"port": 0, "management_port": 0},
        "fan_out": {"management_port": 0},
        "membership": {"management_port": 0},
    }
    settled = settle_ports(Settings.model_validate(fields))
    urls = service_urls(settled)
    assert list(urls)[-3:] == ["sink-a-management", "sink-b.c-management", "sink-d-management"]
    assert len({url.rpartition(":")[2] for url in urls.values()} - {"0"}) == 7


def test_the_port_of_a_sink_is_named_where_two_have_it() -> None:
    sinks = {"a": {"type": "postgres", "dsn": "dbname=x", "management_port": 8083}}
    with pytest.raises(ConfigurationError, match=r"sinks\.a\.management_port: 8083 is also membership"):
        settle_ports(Settings.model_validate({"sinks": sinks}))


def test_urls_are_those_of_the_ready_file() -> None:
    urls = service_urls(Settings(management=ManagementSettings(host="0.0.0.0")))
    assert urls == {
        "ingest": "http://127.0.0.1:8080",
        "ingest-management": "http://127.0.0.1:8081",
        "fan-out-management": "http://127.0.0.1:8082",
        "membership-management": "http://127.0.0.1:8083",
    }
