"""Where the embedded registry keeps what it has.

lock           who uses it
segwire.json   the last port
server.log     what the last start printed
schemas.*      the database, where it is not in memory
scratch/       the runtime's temporary files
"""

import json
import shutil
from pathlib import Path

from segwire.embedded.registry.errors import EmbeddedRegistryError


class RegistryStorage:
    """The folder `registry` of a data directory."""

    def __init__(self, data_dir: Path) -> None:
        """Name the paths; nothing is made."""
        self.root = data_dir.absolute() / "registry"
        self.lock = self.root / "lock"
        self.log = self.root / "server.log"
        self.scratch = self.root / "scratch"
        self._database = self.root / "schemas"
        self._memory = self.root / "segwire.json"

    @property
    def database_url(self) -> str:
        """Where the registry's database is, as its driver names it."""
        # By default what was acknowledged is written half a second later, and a schema's ID may not be given twice.
        return f"jdbc:h2:file:{self._database};WRITE_DELAY=0"

    def make(self) -> None:
        """Make the folders, and clear what an earlier start left in the scratch one. Call it with the lock held.

        Raises:
            EmbeddedRegistryError: the path's name cannot be used.
            OSError: they cannot be made.
        """
        if ";" in str(self.root):
            raise EmbeddedRegistryError(
                f"The schema registry cannot keep data in {self.root}: a semicolon separates options in its database's "
                "address. Use a directory without one: --data-dir PATH"
            )
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)

    def remembered_port(self) -> int | None:
        """Return the port of the last start."""
        try:
            port = json.loads(self._memory.read_text(encoding="utf-8"))["port"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return port if isinstance(port, int) else None

    def remember_port(self, port: int) -> None:
        """Keep the port for the next start."""
        fresh = self._memory.with_suffix(".new")
        fresh.write_text(json.dumps({"port": port}) + "\n", encoding="utf-8")
        fresh.replace(self._memory)

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines that the last start printed, without stack frames."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        lines = (line.rstrip() for line in text.splitlines() if not line.lstrip().startswith(("at ", "... ")))
        return [line for line in lines if line][-count:]
