"""PostgreSQL in a container, by testcontainers, where Docker is."""

import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from segwire.embedded.container import Container, Describe, Image, in_docker, wait_until_answering
from segwire.embedded.errors import EmbeddedServerError
from segwire.embedded.kafka.ports import HOST, choose_port
from segwire.embedded.postgres.errors import EmbeddedPostgresError
from segwire.embedded.postgres.storage import DATABASE, USER, PostgresStorage

IMAGE = Image("postgres:18", 5432, "PostgreSQL", "say --with postgres for the embedded one", EmbeddedPostgresError)
FIRST_PORT = 15432


class TestcontainersPostgres:
    """A PostgreSQL in a container, on a port of the loopback interface; its data go with it.

    Its address is kept in the data directory's file of the connection string, so a restart is at the same one.
    """

    __test__ = False  # for pytest, which takes every class of this name for tests

    def __init__(self, data_dir: Path, describe: Describe | None = None) -> None:
        """Describe it; nothing happens before `start`."""
        self._storage = PostgresStorage(data_dir)
        self._describe = describe or in_docker(IMAGE)
        self._container: Container | None = None

    @property
    def dsn(self) -> str:
        """The connection string, chosen when it is first asked for."""
        file = self._storage.dsn_file
        if file.exists() and f"@{HOST}:" in (kept := file.read_text(encoding="utf-8").strip()):
            return kept
        port = choose_port(None, None, first=FIRST_PORT, what="PostgreSQL")
        dsn = f"postgresql://{USER}:{secrets.token_hex(16)}@{HOST}:{port}/{DATABASE}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text(dsn + "\n", encoding="utf-8")
        return dsn

    def start(self) -> None:
        """Start, and return when it answers. Blocks; the first time it fetches the image.

        Raises:
            EmbeddedPostgresError: testcontainers or Docker is missing, or it does not start.
        """
        found = psycopg.conninfo.conninfo_to_dict(self.dsn)
        environment = {"POSTGRES_PASSWORD": str(found["password"]), "POSTGRES_DB": DATABASE, "POSTGRES_USER": USER}
        port = int(str(found["port"]))
        self._container = self._describe(port, environment)
        try:
            self._container.start()
            wait_until_answering(self._container, IMAGE, f"{HOST}:{port}", self._answers)
        except BaseException:
            self.stop()
            raise

    def poll(self) -> int | None:
        """Return None while the container runs, else its exit code."""
        return None if self._container is None else self._container.exit_code()

    def died(self) -> EmbeddedServerError:
        """Explain why `poll` returned an exit code."""
        if self._container is None:
            return EmbeddedPostgresError(f"The container {IMAGE.name} was stopped")
        return IMAGE.explain(f"ended (exit code {self.poll()})", self._container)

    def stop(self) -> None:
        """Stop and remove the container. Blocks; harmless when not started."""
        if self._container is not None:
            self._container.stop()
        self._container = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            # The image starts a server on a socket alone to make the database; that one we do not see.
            psycopg.connect(self.dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
