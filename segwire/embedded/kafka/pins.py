"""The pinned artifacts: coordinates, SHA-256 and size, from the lock file beside this module.

The lock file has the shape that jgo writes, with one more key per artifact, `size_bytes`, for the progress bar.
`python -m segwire.embedded.kafka.pin` makes it again.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KAFKA_VERSION = "4.3.1"
LOCK_FILE = Path(__file__).with_name("kafka.lock.toml")


@dataclass(frozen=True, slots=True)
class Pin:
    """One artifact of Maven, by its coordinates and its contents."""

    group: str
    artifact: str
    version: str
    sha256: str
    size_bytes: int
    classifier: str = ""
    packaging: str = "jar"

    @property
    def file_name(self) -> str:
        """The name of the file in a repository and in the cache."""
        classified = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classified}.{self.packaging}"

    @property
    def coordinate(self) -> str:
        """`group:artifact:version`, as Maven writes it."""
        return f"{self.group}:{self.artifact}:{self.version}"


def parse_lock(text: str) -> tuple[Pin, ...]:
    """Read the pins of a lock file, in its order, which is the order of the class path.

    Raises:
        ValueError: an artifact is without a checksum or a size, or two would have one file name.
    """
    pins = tuple(_pin(entry) for entry in tomllib.loads(text)["dependencies"])
    names = [pin.file_name for pin in pins]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two artifacts have the file name {twice[0]}")
    return pins


def load_pins() -> Sequence[Pin]:
    """Read the committed lock file."""
    return parse_lock(LOCK_FILE.read_text(encoding="utf-8"))


def _pin(entry: dict[str, object]) -> Pin:
    size_bytes, sha256 = entry.get("size_bytes"), entry.get("sha256")
    coordinate = f"{entry['groupId']}:{entry['artifactId']}:{entry['version']}"
    if not isinstance(sha256, str) or len(sha256) != 64:
        raise ValueError(f"{coordinate} has no SHA-256")
    if not isinstance(size_bytes, int):
        raise ValueError(f"{coordinate} has no size_bytes")  # noqa: TRY004 - a matter of the file's text
    return Pin(str(entry["groupId"]), str(entry["artifactId"]), str(entry["version"]), sha256, size_bytes)
