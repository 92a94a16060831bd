"""The data directory: where what lies, whether it is in order, and its first formatting.

kafka.lock          who uses it
segwire.json        cluster ID and the last port
server.properties   written at every start
server.log          the broker's log, of bounded size
console.log         what the last broker printed
data/               Kafka's own: records and metadata
"""

import base64
import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.properties import NODE_ID


@dataclass(frozen=True, slots=True)
class Remembered:
    """What one start tells the next."""

    cluster_id: str
    port: int | None = None


class Storage:
    """The files of one data directory."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.lock = self.root / "kafka.lock"
        self.properties = self.root / "server.properties"
        self.log = self.root / "server.log"
        self.console = self.root / "console.log"
        self.data = self.root / "data"
        # Formatting happens here and ends by a rename, so a half-formatted directory is never taken for a corrupt one.
        self.formatting = self.root / "data.formatting"
        self._memory = self.root / "segwire.json"
        self._meta = self.data / "meta.properties"

    def make(self) -> None:
        """Make the directory.

        Raises:
            EmbeddedKafkaError: its name cannot be used, or it cannot be written.
        """
        if "," in str(self.root):
            raise EmbeddedKafkaError(
                f"Kafka cannot keep data in {self.root}: a comma separates directories in its settings. "
                "Use a directory without one: --data-dir PATH"
            )
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.unwritable(error) from error
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise self.unwritable(PermissionError(13, "Permission denied"))

    def unwritable(self, error: OSError) -> EmbeddedKafkaError:
        """Explain that the directory cannot be written."""
        return EmbeddedKafkaError(
            f"The data directory {self.root} cannot be written ({error.strerror or error}). "
            "Free space or mend its permissions, or use another directory: --data-dir PATH"
        )

    def is_formatted(self) -> bool:
        """Tell whether there is anything of Kafka's; `check` tells whether it is in order."""
        return self.data.exists() and any(self.data.iterdir())

    def begin_format(self) -> str:
        """Clear what an interrupted formatting left, and make a cluster ID."""
        shutil.rmtree(self.formatting, ignore_errors=True)
        return new_cluster_id()

    def end_format(self, cluster_id: str) -> None:
        """Put the formatted directory in its place."""
        self._write_memory(Remembered(cluster_id))
        if self.data.exists():
            self.data.rmdir()
        self.formatting.rename(self.data)

    def check(self) -> Remembered:
        """Check what a start needs, before a broker trips over it, and return what the last start left.

        Raises:
            EmbeddedKafkaError: the directory is corrupt; names the file, the value and the remedy.
        """
        try:
            text = self._meta.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            raise self._corrupt(f"{self._meta} is missing, though there are data beside it") from None
        found = parse_meta(text)
        for name, wanted in (("version", "1"), ("node.id", str(NODE_ID))):
            if found.get(name) != wanted:
                raise self._corrupt(f"{self._meta} says {name}={found.get(name, '')!s}, it should be {wanted}")
        for name in ("cluster.id", "directory.id"):
            if not _is_kafka_uuid(found.get(name, "")):
                raise self._corrupt(f"{self._meta} says {name}={found.get(name, '')!s}, which is no ID")
        return self._agreed(found["cluster.id"])

    def remember_port(self, cluster_id: str, port: int) -> None:
        """Keep the port for the next start."""
        self._write_memory(Remembered(cluster_id, port))

    def _agreed(self, cluster_id: str) -> Remembered:
        try:
            memory = Remembered(**json.loads(self._memory.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return Remembered(cluster_id)  # only a convenience: made again at this start
        if memory.cluster_id != cluster_id:
            raise self._corrupt(
                f"{self._meta} says cluster.id={cluster_id}, but this directory was made for {memory.cluster_id}"
            )
        return memory

    def _write_memory(self, memory: Remembered) -> None:
        fresh = self._memory.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(memory)) + "\n", encoding="utf-8")
        fresh.replace(self._memory)

    def _corrupt(self, finding: str) -> EmbeddedKafkaError:
        return EmbeddedKafkaError(
            f"Kafka's data directory is corrupt: {finding}. Bring {self.data} back from a copy, or start without "
            f"these data: mv {self.root} {self.root}.corrupt"
        )


def new_cluster_id() -> str:
    """Make an ID as Kafka makes them: one that begins with a dash would look like an option on a command line."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def parse_meta(text: str) -> dict[str, str]:
    """Read the plain `name=value` lines of a meta.properties."""
    lines = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in lines}


def _is_kafka_uuid(text: str) -> bool:
    """Tell whether it is what Kafka writes: 16 bytes as base64 for URLs, without padding."""
    try:
        return len(text) == 22 and len(base64.urlsafe_b64decode(text + "==")) == 16
    except ValueError:
        return False
