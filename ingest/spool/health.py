"""How a spool is, from what its bound and its disk refused. Pure but for the log."""

from pathlib import Path

import structlog

from ingest.spool.errors import SpoolError, SpoolFull
from ingest.spool.state import Level, SpoolLimits

_log = structlog.get_logger()


class Health:
    """Remembers what was refused last."""

    def __init__(self, directory: Path, limits: SpoolLimits) -> None:
        """Begin with nothing refused."""
        self._directory = directory
        self._limits = limits
        self._refused_bytes = 0
        self._disk: SpoolError | None = None

    def refusal(self, used_bytes: int, size_bytes: int) -> SpoolFull | None:
        """Return the refusal of `size_bytes` more; None where there is room."""
        if used_bytes + size_bytes <= self._limits.bytes_max:
            return None
        if not self._is_full(used_bytes):
            _log.error("spool_full", directory=str(self._directory), used_bytes=used_bytes)
        self._refused_bytes = size_bytes
        return self._full()

    def disk_refused(self, error: SpoolError) -> None:
        """Take note of what the disk refused."""
        if type(error) is not type(self._disk):
            _log.error("spool_disk_refused", directory=str(self._directory), error=str(error))
        self._disk = error

    def disk_took(self) -> None:
        """Take note that the disk took bytes."""
        if self._disk is not None:
            _log.info("spool_disk_recovered", directory=str(self._directory))
            self._disk = None

    def disk_freed(self) -> None:
        """Take note that room was made on the disk: the next append will tell whether it is enough."""
        if isinstance(self._disk, SpoolFull):
            self.disk_took()

    def level(self, used_bytes: int) -> Level:
        """Return how it is with so many bytes used."""
        if self._disk is not None:
            return Level.FULL if isinstance(self._disk, SpoolFull) else Level.FAILED
        if self._is_full(used_bytes):
            return Level.FULL
        return Level.HIGH if used_bytes >= self._limits.high_ratio * self._limits.bytes_max else Level.OK

    def trouble(self, used_bytes: int) -> str | None:
        """Say what is wrong, to a person."""
        if self._disk is not None:
            return str(self._disk)
        return str(self._full()) if self._is_full(used_bytes) else None

    def _is_full(self, used_bytes: int) -> bool:
        """Tell whether what was refused last would be refused now."""
        return used_bytes + self._refused_bytes > self._limits.bytes_max

    def _full(self) -> SpoolFull:
        return SpoolFull(
            f"spool {self._directory}: its {self._limits.bytes_max} bytes are used; it empties by itself as soon as "
            "Kafka takes what is in it, or give it more"
        )
