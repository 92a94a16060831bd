"""Secrets from files, read again when the file changes: as Kubernetes rotates what it mounts.

Source: interfaces, *Configuration*. Nothing here prints a secret; its `repr` names where it is from.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import structlog

from runtime.authentication_settings import SecretSettings
from runtime.clock import Clock
from runtime.errors import ConfigurationError
from runtime.metrics import SECRET_RELOADS

# A file written to a moment ago may be half written: the next look takes it.
_SETTLED_MS = 100

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
        self._watched: list[_Watched] = []

    def load(self, setting: str, source: SecretSettings) -> Secret:
        """Return the secret of a section; `setting` is the section's path.

        Raises:
            ConfigurationError: its file cannot be read, or is empty.
        """
        if source.secret is not None:
            return Secret(f"{setting}.secret", source.secret.get_secret_value().encode())
        assert source.secret_file is not None, "the settings check it"
        return self.load_file(f"{setting}.secret_file", Path(source.secret_file))

    def load_file(self, setting: str, path: Path) -> Secret:
        """Return the secret in a file and watch it.

        Raises:
            ConfigurationError: the file cannot be read, or is empty.
        """
        stamp = _stamp(path)
        secret = Secret(str(path), read_secret(setting, path))
        self._watched.append(_Watched(secret, path, stamp))
        return secret

    def changed(self) -> Sequence[tuple[Secret, bytes]]:
        """Look at every file and return what is to be replaced. Blocks on the disk."""
        now_ms = self._clock.now_ms()
        found = ((watched.secret, watched.look(now_ms)) for watched in self._watched)
        return [(secret, value) for secret, value in found if value is not None]

    def replace(self, changes: Sequence[tuple[Secret, bytes]]) -> None:
        """Use the new values from now on."""
        for secret, value in changes:
            secret.value = value
            SECRET_RELOADS.labels("replaced").inc()
            _log.info("secret_replaced", file=secret.origin)


class _Watched:
    def __init__(self, secret: Secret, path: Path, stamp: _Stamp | None) -> None:
        self.secret = secret
        self._path = path
        self._stamp = stamp
        self._warned = False

    def look(self, now_ms: int) -> bytes | None:
        """Return the new value where there is one."""
        stamp = _stamp(self._path)
        if stamp == self._stamp or (stamp is not None and 0 <= now_ms - stamp[-1] // 1_000_000 < _SETTLED_MS):
            return None
        try:
            value = _read(self._path)
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


def read_secret(setting: str, path: Path) -> bytes:
    """Read the secret in a file; one newline at its end is not part of it.

    Raises:
        ConfigurationError: the file cannot be read, or is empty.
    """
    try:
        return _read(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{setting}: {str(path)!r} holds no secret ({_reason(error)}); name a readable file with the secret in it"
        ) from None


def _read(path: Path) -> bytes:
    value = path.read_bytes()
    value = value.removesuffix(b"\r\n") if value.endswith(b"\r\n") else value.removesuffix(b"\n")
    if not value:
        raise ValueError("the file is empty")
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
