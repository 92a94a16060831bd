"""A directory of secrets as Kubernetes mounts it: each name leads through `..data` to the newest version."""

import os
from pathlib import Path


class Mount:
    """Publishes versions, each in one step."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._versions = 0

    def publish(self, mtime_ms: int | None = None, **secrets: str) -> None:
        """Replace all secrets at once."""
        self._versions += 1
        version = self._directory / f"..version-{self._versions}"
        version.mkdir(parents=True)
        for name, text in secrets.items():
            (version / name).write_text(text)
            if mtime_ms is not None:
                os.utime(version / name, ns=(mtime_ms * 1_000_000,) * 2)
            if not (link := self.path(name)).is_symlink():
                link.symlink_to(Path("..data") / name)
        swap = self._directory / "..data_tmp"
        swap.symlink_to(version.name)
        swap.replace(self._directory / "..data")

    def path(self, name: str) -> Path:
        """Return where a secret is mounted."""
        return self._directory / name
