"""Keeps the unpacked registry in the cache that all projects of a user share."""

import json
import shutil
import tarfile
import tempfile
from pathlib import Path

from segwire.embedded.kafka.cache import default_cache_dir, exclusive, make_cache_dir, unwritable
from segwire.embedded.kafka.download import Fetch
from segwire.embedded.kafka.jars import JarCache
from segwire.embedded.kafka.pins import Pin
from segwire.embedded.kafka.progress import StartProgress
from segwire.embedded.registry.pin import REGISTRY, REGISTRY_PIN, REGISTRY_VERSION

_SCRATCH_PREFIX = ".unpacked-"


def registry_cache_dir() -> Path:
    """Return the cache's directory of this version."""
    return default_cache_dir().with_name(f"registry-{REGISTRY_VERSION}")


class RegistryApplication:
    """The registry's files in one cache directory, which other processes may fill at the same time."""

    def __init__(self, cache_dir: Path, fetch: Fetch, progress: StartProgress, pin: Pin = REGISTRY_PIN) -> None:
        self._cache_dir = cache_dir
        self._fetch = fetch
        self._progress = progress
        self._pin = pin
        self._app = cache_dir / "app"
        self._contents = cache_dir / "contents.json"

    def ensure(self) -> Path:
        """Return the folder of the application, fetching and unpacking it where it is missing or damaged. Blocks.

        The archive is checked by its SHA-256 before it is unpacked, the files later by their sizes.

        Raises:
            SegwireError: the network or the disk does not allow it, or the checksum differs.
        """
        if self._is_whole():
            return self._app
        make_cache_dir(self._cache_dir)
        waiting = f"Another process fills {self._cache_dir}: waiting for it"
        try:
            with exclusive(self._cache_dir / ".unpack-lock", lambda: self._progress.say(waiting)):
                if not self._is_whole():
                    self._fill()
        except OSError as error:
            raise unwritable(self._cache_dir, error) from error
        return self._app

    def _fill(self) -> None:
        for leftover in self._cache_dir.glob(f"{_SCRATCH_PREFIX}*"):
            shutil.rmtree(leftover)
        (archive,) = JarCache(self._cache_dir, [self._pin], self._fetch, self._progress, REGISTRY).ensure()
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH_PREFIX, dir=self._cache_dir))
        try:
            with tarfile.open(archive) as packed:
                packed.extractall(scratch, filter="data")
            shutil.rmtree(self._app, ignore_errors=True)
            scratch.replace(self._app)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        self._contents.write_text(json.dumps([self._pin.sha256, _sizes(self._app)]), encoding="utf-8")
        archive.unlink()  # as large as what it held

    def _is_whole(self) -> bool:
        try:
            return bool(json.loads(self._contents.read_text(encoding="utf-8")) == [self._pin.sha256, _sizes(self._app)])
        except (OSError, ValueError):
            return False


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}
