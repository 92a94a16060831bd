"""PostgreSQL in a container, with Docker left out."""

from pathlib import Path

import psycopg
import pytest
from docker.errors import DockerException  # type: ignore[import-untyped]
from psycopg.conninfo import conninfo_to_dict

from segwire.embedded.postgres import docker_container
from segwire.embedded.postgres.container import TestcontainersPostgres
from segwire.embedded.postgres.errors import EmbeddedPostgresError


class Described:
    """A container that only remembers."""

    def __init__(self, port: int, environment: dict[str, str]) -> None:
        self.port = port
        self.environment = environment
        self.said: list[str] = []
        self.code: int | None = None

    def start(self) -> None:
        self.said.append("start")

    def exit_code(self) -> int | None:
        return self.code

    def stop(self) -> None:
        self.said.append("stop")


@pytest.fixture
def made() -> list[Described]:
    return []


@pytest.fixture
def server(tmp_path: Path, made: list[Described]) -> TestcontainersPostgres:
    def describe(port: int, environment: dict[str, str]) -> Described:
        made.append(Described(port, environment))
        return made[-1]

    return TestcontainersPostgres(tmp_path, describe)


def answering(monkeypatch: pytest.MonkeyPatch, *answers: bool) -> list[str]:
    asked: list[str] = []

    class Connection:
        def close(self) -> None:
            return

    def connect(dsn: str, **_: object) -> Connection:
        asked.append(dsn)
        if len(asked) <= len(answers) and not answers[len(asked) - 1]:
            raise psycopg.OperationalError("the database system is starting up")
        return Connection()

    monkeypatch.setattr(psycopg, "connect", connect)
    return asked


def test_it_listens_on_loopback_with_a_password_that_only_its_owner_reads(
    server: TestcontainersPostgres, made: list[Described], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answering(monkeypatch, False, True)
    with server:
        found = conninfo_to_dict(server.dsn)
        assert asked == [server.dsn] * 2
        (container,) = made
        assert (found["host"], str(found["port"])) == ("127.0.0.1", str(container.port))
        assert container.environment["POSTGRES_PASSWORD"] == found["password"]
        assert container.environment["POSTGRES_DB"] == found["dbname"]
        assert (tmp_path / "postgres" / "dsn").stat().st_mode & 0o077 == 0
    assert container.said == ["start", "stop"]


def test_an_address_of_the_embedded_one_is_replaced(server: TestcontainersPostgres, tmp_path: Path) -> None:
    file = tmp_path / "postgres" / "dsn"
    file.parent.mkdir()
    file.write_text("postgresql:///segwire?host=/somewhere&user=postgres\n")
    assert "@127.0.0.1:" in server.dsn
    assert file.read_text().strip() == server.dsn


def test_a_container_that_ends_at_once_is_said_and_removed(
    server: TestcontainersPostgres, made: list[Described], monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, *[False] * 100)
    monkeypatch.setattr(Described, "exit_code", lambda _self: 1)
    with pytest.raises(EmbeddedPostgresError, match=r"postgres:18 ended \(exit code 1\)"):
        server.start()
    assert made[0].said == ["start", "stop"]


def test_docker_that_is_not_there_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    def absent(image: str) -> None:
        raise DockerException(f"no Docker for {image}")

    monkeypatch.setattr(docker_container, "DockerContainer", absent)
    with pytest.raises(EmbeddedPostgresError, match=r"does not start: no Docker .*Start Docker .*--with postgres"):
        TestcontainersPostgres(tmp_path).start()
