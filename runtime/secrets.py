"""Secrets from files, read again when the file changes: as Kubernetes rotates what it mounts.

Source: interfaces, *Configuration*. Nothing here prints a secret; its `repr` names where it is from.
"""

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import structlog

from runtime.authentication_settings import SecretSettings
from runtime.clock import Clock
from runtime.errors import ConfigurationError
from runtime.metrics import SECRET_RELOADS

# A file written to a moment ago may be half written: the next look takes it.
_SETTLED_MS = 100

_POLL_S = 1.0

_Stamp = tuple[int, int, int, int, int]

_log = structlog.get_logger()


class Secret:
    """One secret as it is now."""

    __slots__ = ("origin", "value")

    def __init__(self, origin: str, value: bytes) -> None:
        """Hold `value`; `origin` says to people where it is from."""
        self.origin = origin
        self.value = value

    def __repr__(self) -> str:
        return f"<secret from {self.origin}>"


class SecretFiles:
    """Every secret of a process. Read off the event loop, and replaced all at once on it.

    Call `changed` now and then from any one thread, and `replace` with what it returned from the thread that uses the
    secrets: whoever checks one there sees either all of a rotation or nothing of it.
    """

    def __init__(self, clock: Clock) -> None:
        """Start without any."""
        self._clock = clock
        self._watched: dict[tuple[Path, int], _Watched] = {}

    def load(self, setting: str, source: SecretSettings) -> Secret:
        """Return the secret of a section; `setting` is the section's path.

        Raises:
            ConfigurationError: its file cannot be read, or is empty.
        """
        if source.secret is not None:
            return Secret(f"{setting}.secret", source.secret.get_secret_value().encode())
        assert source.secret_file is not None, "the settings check it"
        return self.load_file(f"{setting}.secret_file", Path(source.secret_file))

    def load_file(self, setting: str, path: Path, *, bytes_min: int = 1) -> Secret:
        """Return the secret in a file and watch it; the same one for a file that is named again.

        Raises:
            ConfigurationError: the file cannot be read, is empty, or has fewer than `bytes_min` bytes.
        """
        watched = self._watched.get((path, bytes_min))
        if watched is None:
            stamp = _stamp(path)
            secret = Secret(str(path), read_secret(setting, path, bytes_min=bytes_min))
            watched = self._watched[path, bytes_min] = _Watched(secret, path, stamp, bytes_min)
        return watched.secret

    def changed(self) -> Sequence[tuple[Secret, bytes]]:
        """Look at every file and return what is to be replaced. Blocks on the disk."""
        now_ms = self._clock.now_ms()
        found = ((watched.secret, watched.look(now_ms)) for watched in self._watched.values())
        return [(secret, value) for secret, value in found if value is not None]

    def replace(self, changes: Sequence[tuple[Secret, bytes]]) -> None:
        """Use the new values from now on."""
        for secret, value in changes:
            secret.value = value
            SECRET_RELOADS.labels("replaced").inc()
            _log.info("secret_replaced", file=secret.origin)


class SecretWatch:
    """Looks at the files about once a second from a thread of its own: a disk that hangs holds up nothing else."""

    def __init__(self, files: SecretFiles, poll_s: float = _POLL_S) -> None:
        """Watch `files`, once started."""
        self._files = files
        self._poll_s = poll_s
        self._stopped = threading.Event()

    def start(self, run_soon: Callable[[Callable[[], None]], object]) -> None:
        """Start looking; `run_soon` runs what replaces secrets on the thread that uses them, as an event loop does."""
        threading.Thread(target=self._watch, args=(run_soon,), name="secrets", daemon=True).start()

    def stop(self) -> None:
        """Stop looking. Does not wait."""
        self._stopped.set()

    def _watch(self, run_soon: Callable[[Callable[[], None]], object]) -> None:
        while not self._stopped.wait(self._poll_s):
            if changes := self._files.changed():
                try:
                    run_soon(partial(self._files.replace, changes))
                except RuntimeError:
                    return  # The loop has ended.


class _Watched:
    def __init__(self, secret: Secret, path: Path, stamp: _Stamp | None, bytes_min: int) -> None:
        self.secret = secret
        self._bytes_min = bytes_min
        self._path = path
        self._stamp = stamp
        self._warned = False

    def look(self, now_ms: int) -> bytes | None:
        """Return the new value where there is one."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            self._warned = False
            return None
        if stamp is not None and 0 <= now_ms - stamp[-1] // 1_000_000 < _SETTLED_MS:
            return None
        try:
            value = _read(self._path, self._bytes_min)
        except (OSError, ValueError) as error:
            self._warn(error)
            return None
        if _stamp(self._path) != stamp:
            return None
        self._stamp, self._warned = stamp, False
        return None if value == self.secret.value else value

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            SECRET_RELOADS.labels("failed").inc()
            _log.warning("secret_unreadable", file=str(self._path), reason=_reason(error), kept="the one read before")


def read_secret(setting: str, path: Path, *, bytes_min: int = 1) -> bytes:
    """Read the secret in a file; one newline at its end is not part of it.

    Raises:
        ConfigurationError: the file cannot be read, is empty, or has fewer than `bytes_min` bytes.
    """
    try:
        return _read(path, bytes_min)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{setting}: {str(path)!r} cannot be used ({_reason(error)}); name a readable file with the secret in it"
        ) from None


def _read(path: Path, bytes_min: int) -> bytes:
    value = path.read_bytes()
    value = value.removesuffix(b"\r\n") if value.endswith(b"\r\n") else value.removesuffix(b"\n")
    if not value:
        raise ValueError("the file is empty")
    if len(value) < bytes_min:
        raise ValueError(f"it has {len(value)} bytes, and less than {bytes_min} can be guessed")
    return value


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _stamp(path: Path) -> _Stamp | None:
    """Return what changes with a file's content, through symbolic links."""
    try:
        found = os.stat(path)  # noqa: PTH116 - as cheap as can be
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns, found.st_mtime_ns
