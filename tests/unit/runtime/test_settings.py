"""The defaults are a contract: interfaces, *Configuration*."""

import pytest
from pydantic import ValidationError

from runtime.http_settings import TlsSettings, is_loopback
from runtime.settings import IngestSettings, Settings, SourceSettings


def test_defaults_are_those_of_the_interfaces() -> None:
    settings = Settings()
    assert (settings.data_dir, settings.ingest.host) == (".segwire", "127.0.0.1")
    ports = (settings.ingest.port, settings.ingest.management_port, settings.fan_out.management_port)
    assert (*ports, settings.membership.management_port) == (8080, 8081, 8082, 8083)
    kafka = settings.kafka
    assert (kafka.bootstrap_servers, kafka.topic_prefix, kafka.partitions, kafka.replication_factor) == (
        None,
        "",
        12,
        3,
    )
    assert kafka.properties == {}
    assert settings.schema_registry.url is None
    membership = settings.membership
    assert (membership.default_ttl_days, membership.inactivity_days, membership.tombstone_after_days) == (120, 120, 7)
    assert membership.segments == {}
    assert membership.transaction_timeout_ms == 15_000
    assert SourceSettings(allow_unauthenticated=True).max_body_bytes == 1_048_576


def test_without_sources_there_is_dev_for_everyone_on_this_machine() -> None:
    (name, source), *others = Settings().effective_sources().items()
    assert (name, source.allow_unauthenticated, others) == ("dev", True, [])


def test_a_configuration_with_sources_has_no_dev() -> None:
    settings = Settings(sources={"adobe": SourceSettings(allow_unauthenticated=True)})
    assert list(settings.effective_sources()) == ["adobe"]
    assert Settings(sources={}).effective_sources() == {}


def test_a_source_without_authentication_is_refused_unless_that_is_said() -> None:
    with pytest.raises(ValidationError, match=r"sources\.adobe: no authentication .*allow_unauthenticated: true"):
        Settings(sources={"adobe": SourceSettings()})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "segwire.example"])
def test_the_built_in_source_is_refused_on_an_address_that_others_reach(host: str) -> None:
    with pytest.raises(ValidationError, match=f"ingest.host: {host!r} is reachable from outside"):
        Settings(ingest=IngestSettings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "segwire.example"])
def test_plain_http_is_refused_on_an_address_that_others_reach_unless_a_proxy_is_in_front(host: str) -> None:
    sources = {"adobe": SourceSettings(allow_unauthenticated=True)}
    with pytest.raises(ValidationError, match=f"ingest.host: {host!r} .*ingest.tls.*ingest.behind_proxy: true"):
        Settings(ingest=IngestSettings(host=host), sources=sources)
    Settings(ingest=IngestSettings(host=host, behind_proxy=True), sources=sources)
    Settings(ingest=IngestSettings(host=host, tls=TlsSettings(cert_file="c", key_file="k")), sources=sources)


@pytest.mark.parametrize("network", ["*", "10.0.0.1/8", "proxy.example", ""])
def test_a_trusted_proxy_is_an_address_or_a_network(network: str) -> None:
    with pytest.raises(ValidationError, match="give an address or a network"):
        IngestSettings(trusted_proxies=[network])


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("", False)],
)
def test_which_addresses_are_of_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().data_dir = "other"  # type: ignore[misc]
