"""The directory that every project of a user shares: artifacts and start caches of one Kafka version."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.pins import KAFKA_VERSION


def default_cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return `segwire/kafka-VERSION` below `XDG_CACHE_HOME`, else below `~/.cache`."""
    named = environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification: a path that is not absolute is to be ignored.
    base = Path(named) if Path(named).is_absolute() else Path.home() / ".cache"
    return base / "segwire" / f"kafka-{KAFKA_VERSION}"


def make_cache_dir(path: Path) -> None:
    """Make the directory.

    Raises:
        EmbeddedKafkaError: it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> EmbeddedKafkaError:
    """Explain that the cache cannot be written."""
    return EmbeddedKafkaError(
        f"The cache directory {path} cannot be written ({error.strerror or error}). "
        "Free space or mend its permissions, or name another one: XDG_CACHE_HOME=/PATH"
    )


@contextmanager
def exclusive(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold a lock between processes, waiting for it; the lock ends with its process.

    Args:
        path: the lock's file; it stays behind, empty.
        on_wait: called once where another process holds it.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def exclusive_or_none(path: Path) -> Iterator[bool]:
    """Hold a lock between processes where it is free; yields whether it was."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
