"""Where the embedded PostgreSQL listens."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from segwire.embedded.postgres.storage import PostgresStorage


def test_the_socket_is_below_the_data_directory() -> None:
    storage = PostgresStorage(Path("/srv/my data"))
    assert storage.sockets == Path("/srv/my data/postgres/socket")
    parts = urlsplit(storage.dsn)
    assert (parts.path, parse_qs(parts.query)["host"]) == ("/segwire", ["/srv/my data/postgres/socket"])


def test_where_that_path_is_too_long_for_a_socket_it_is_in_the_temporary_directory_and_always_the_same() -> None:
    deep = Path("/srv") / ("deep" * 30)
    storage = PostgresStorage(deep)
    assert len(str(storage.sockets)) < 90
    assert storage.sockets == PostgresStorage(deep).sockets
    assert storage.sockets != PostgresStorage(deep / "er").sockets
