"""What the client makes of a registry's answers."""

from pathlib import Path

import httpx2
import pytest

from runtime.errors import ConfigurationError
from runtime.registry.client import RegistryClient, RegistryError, UnreachableRegistryError
from runtime.registry_settings import SchemaRegistrySettings
from tests.support.registry import URL, FakeRegistry


def answering(response: httpx2.Response, **settings: str) -> RegistryClient:
    return RegistryClient(
        SchemaRegistrySettings.model_validate({"url": URL, **settings}), httpx2.MockTransport(lambda _: response)
    )


def test_what_is_not_there_is_none_and_no_error() -> None:
    with FakeRegistry().connect() as client:
        assert client.find("rows-value", "{}") is None
        assert client.compatibility("rows-value") is None
        assert not client.has("rows-value")
        assert not client.knows(7)


def test_names_are_quoted() -> None:
    registry = FakeRegistry()
    with registry.connect() as client:
        client.register("a/b c-value", "{}")
    assert registry.asked[0].url.raw_path.endswith(b"/subjects/a%2Fb%20c-value/versions")
    assert registry.schemas == {"a/b c-value": [100]}


def test_a_registry_that_is_away_is_named() -> None:
    registry = FakeRegistry()
    registry.away = True
    with registry.connect() as client, pytest.raises(UnreachableRegistryError, match=r"schema_registry\.url: .* runs"):
        client.has("rows-value")


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(404, text="<html>not here</html>"),
        httpx2.Response(404, json={"detail": "No such route"}),
        httpx2.Response(500, json={"error_code": 50001, "message": "store timeout"}),
        httpx2.Response(200, text="<html>a web site</html>"),
    ],
)
def test_what_is_no_registry_is_told_from_one_without_the_subject(response: httpx2.Response) -> None:
    with answering(response) as client, pytest.raises(RegistryError, match=r"/apis/ccompat/v7"):
        client.find("rows-value", "{}")


def test_a_refused_password_is_not_repeated() -> None:
    refused = httpx2.Response(401, json={"error_code": 401, "message": "Unauthorized"})
    with (
        answering(refused, username="us", password="hunter2") as client,
        pytest.raises(RegistryError, match=r"schema_registry\.username") as caught,
    ):
        client.has("rows-value")
    assert "hunter2" not in str(caught.value)


def test_the_password_comes_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    registry = FakeRegistry()
    settings = SchemaRegistrySettings(url=URL, username="us", password_file=str(tmp_path / "password"))
    with registry.connect(settings) as client:
        client.has("rows-value")
    assert registry.asked[0].headers["authorization"] == "Basic dXM6aHVudGVyMg=="


def test_files_that_cannot_be_read_are_wrong_configuration(tmp_path: Path) -> None:
    for field in ({"ca_file": str(tmp_path / "ca.pem")}, {"username": "us", "password_file": str(tmp_path / "none")}):
        with pytest.raises(ConfigurationError, match=r"schema_registry\.(ca_file|password_file)"):
            RegistryClient(SchemaRegistrySettings.model_validate({"url": URL, **field}))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "registry:8081"}, "is no URL of the shape"),
        ({"url": "ftp://registry"}, "is no URL of the shape"),
        ({"url": "http://us:hunter2@registry"}, "use username and password_file"),
        ({"url": "http://registry:port"}, "is no URL"),
        ({"url": URL, "username": "us"}, "go together"),
        ({"url": URL, "username": "us", "password": "a", "password_file": "b"}, "not both"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        SchemaRegistrySettings.model_validate(given)
    assert "hunter2@" not in str(refused.value).split("[type=")[0]
