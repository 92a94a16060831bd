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


def test_urls_are_those_of_the_ready_file() -> None:
    urls = service_urls(Settings(management=ManagementSettings(host="0.0.0.0")))
    assert urls == {
        "ingest": "http://127.0.0.1:8080",
        "ingest-management": "http://127.0.0.1:8081",
        "fan-out-management": "http://127.0.0.1:8082",
        "membership-management": "http://127.0.0.1:8083",
    }
