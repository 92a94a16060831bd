"""Where the embedded PostgreSQL keeps what it has, and where it listens."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path
from urllib.parse import quote

from segwire.embedded.postgres.errors import EmbeddedPostgresError
from segwire.embedded.postgres.programs import server_uid

DATABASE = "segwire"
USER = "postgres"
_SOCKET = ".s.PGSQL.5432"
# The kernel's limit for the path of a socket, with the zero at its end.
_SOCKET_PATH_BYTES = 108


class PostgresStorage:
    """The folder `postgres` of a data directory."""

    def __init__(self, data_dir: Path) -> None:
        """Name the paths; nothing is made."""
        self.root = data_dir.absolute() / "postgres"
        self.data = self.root / "data"
        self.lock = self.root / "lock"
        self.log = self.root / "server.log"
        self.dsn_file = self.root / "dsn"
        self.sockets = _sockets(self.root)

    @property
    def dsn(self) -> str:
        """The connection string; known before the first start."""
        return f"postgresql:///{DATABASE}?host={quote(str(self.sockets))}&user={USER}"

    def make(self) -> None:
        """Make the folders, and the file with the connection string.

        Raises:
            EmbeddedPostgresError: the place for the socket is somebody else's.
            OSError: they cannot be made.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        found = self.sockets.lstat()
        if not stat.S_ISDIR(found.st_mode) or (not self.sockets.is_relative_to(self.root) and _is_strangers(found)):
            raise EmbeddedPostgresError(
                f"{self.sockets} is not a folder of ours, and PostgreSQL's socket belongs there; remove it, or choose "
                "a --data-dir with a shorter path, where the socket fits in"
            )
        self.dsn_file.write_text(self.dsn + "\n", encoding="utf-8")


def _sockets(root: Path) -> Path:
    inside = root / "socket"
    if len(os.fsencode(inside / _SOCKET)) < _SOCKET_PATH_BYTES:
        return inside
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"segwire-{name}"


def _is_strangers(found: os.stat_result) -> bool:
    return found.st_uid not in {os.geteuid(), server_uid()}
