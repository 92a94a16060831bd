"""PostgreSQL in a container, with Docker left out."""

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from segwire.embedded.postgres.container import TestcontainersPostgres
from segwire.embedded.postgres.errors import EmbeddedPostgresError
from tests.support.containers import Describing, PassedTime


@pytest.fixture
def described() -> Describing:
    return Describing()


@pytest.fixture
def server(tmp_path: Path, described: Describing) -> TestcontainersPostgres:
    return TestcontainersPostgres(tmp_path, described)


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
    server: TestcontainersPostgres, described: Describing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = PassedTime(monkeypatch)
    asked = answering(monkeypatch, False, True)
    with server:
        found = conninfo_to_dict(server.dsn)
        assert asked == [server.dsn] * 2
        assert passed.pauses == 1
        (container,) = described.made
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    answering(monkeypatch, False)
    described = Describing(code=1)
    with pytest.raises(EmbeddedPostgresError, match=r"postgres:18 ended \(exit code 1\)"):
        TestcontainersPostgres(tmp_path, described).start()
    assert described.made[0].said == ["start", "stop"]
