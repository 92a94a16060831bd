"""Keeps pinned artifacts in the cache: every file there is whole and has its pinned SHA-256."""

import hashlib
import json
import shutil
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from segwire.embedded.kafka.cache import exclusive, make_cache_dir, unwritable
from segwire.embedded.kafka.download import Fetch, FetchError
from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.pins import KAFKA_VERSION, Pin
from segwire.embedded.kafka.progress import Download, StartProgress

CONNECTIONS = 6
SCRATCH_PREFIX = ".download-"


@dataclass(frozen=True, slots=True)
class Software:
    """What the artifacts are, for people, and what they can use instead."""

    title: str
    instead: str


KAFKA = Software(f"Kafka {KAFKA_VERSION}", "use a Kafka that runs already: --kafka HOST:PORT")


class JarCache:
    """The jars of one set of pins in one cache directory, which other processes may fill at the same time."""

    def __init__(
        self, cache_dir: Path, pins: Sequence[Pin], fetch: Fetch, progress: StartProgress, software: Software = KAFKA
    ) -> None:
        self._cache_dir = cache_dir
        self._lib = cache_dir / "lib"
        self._stamp = cache_dir / "verified.json"
        self._pins = pins
        self._fetch = fetch
        self._progress = progress
        self._software = software
        self._cancelled = threading.Event()

    def ensure(self) -> list[Path]:
        """Return the jars in the order of the class path, fetching what is missing or damaged. Blocks.

        A file that has not changed since its checksum was right is not read again: that would cost every start a
        fifth of a second.

        Raises:
            EmbeddedKafkaError: the network or the disk does not allow it, or a checksum differs.
        """
        paths = [self._lib / pin.file_name for pin in self._pins]
        if self._unchanged(paths):
            return paths
        make_cache_dir(self._lib)
        waiting = f"Another process fills {self._cache_dir}: waiting for it"
        try:
            with exclusive(self._cache_dir / ".lock", lambda: self._progress.say(waiting)):
                if not self._unchanged(paths):
                    self._fill()
                    self._remember(paths)
        except OSError as error:
            raise unwritable(self._cache_dir, error) from error
        return paths

    def _fill(self) -> None:
        for leftover in self._cache_dir.glob(f"{SCRATCH_PREFIX}*"):
            shutil.rmtree(leftover)
        wanted = [pin for pin in self._pins if not self._is_right(pin)]
        if not wanted:
            return
        what = f"Downloading {self._software.title}"
        scratch = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=self._cache_dir))
        try:
            with self._progress.downloading(what, sum(pin.size_bytes for pin in wanted)) as download:
                self._fetch_all(wanted, scratch, download)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _is_right(self, pin: Pin) -> bool:
        path = self._lib / pin.file_name
        if not path.exists():
            return False
        found = sha256_of(path)
        if found == pin.sha256:
            return True
        self._progress.say(f"{path} is damaged (SHA-256 {found}, pinned {pin.sha256}): fetching it again")
        return False

    def _fetch_all(self, pins: Sequence[Pin], scratch: Path, download: Download) -> None:
        with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="download") as pool:
            tasks = [pool.submit(self._fetch_one, pin, scratch, download) for pin in pins]
            try:
                done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
                for task in done:
                    task.result()
            finally:
                self._cancelled.set()
                pool.shutdown(cancel_futures=True)

    def _fetch_one(self, pin: Pin, scratch: Path, download: Download) -> None:
        own = scratch / pin.file_name
        own.mkdir()
        found = ""
        for fresh in (False, True):
            if self._cancelled.is_set():
                return
            path = self._fetched(pin, own / str(fresh), download, fresh=fresh)
            checked = own / "checked.jar"
            shutil.copy(path, checked)
            found = sha256_of(checked)
            if found == pin.sha256:
                checked.replace(self._lib / pin.file_name)
                return
        raise EmbeddedKafkaError(
            f"{pin.coordinate} arrived with the SHA-256 {found}, but {pin.sha256} is pinned; it was not kept. "
            "Start again; if that does not help, a proxy or a mirror (~/.config/jgo.conf) alters downloads: "
            f"take it out of the way, or {self._software.instead}"
        )

    def _fetched(self, pin: Pin, scratch: Path, download: Download, *, fresh: bool) -> Path:
        scratch.mkdir()
        counted_bytes = 0

        def received(size_bytes: int) -> None:
            nonlocal counted_bytes
            counted_bytes += size_bytes
            download.received(size_bytes)

        try:
            path = self._fetch(pin, scratch, received, fresh=fresh)
        except FetchError as error:
            raise EmbeddedKafkaError(
                f"{self._software.title} has to be downloaded once, and {pin.coordinate} cannot be ({error}). "
                f"Connect to the network (HTTPS_PROXY and mirrors in ~/.config/jgo.conf are heeded) and start again: "
                f"what has arrived is kept. Or copy {self._cache_dir} from a machine that has it, "
                f"or {self._software.instead}"
            ) from error
        # Nothing is heard of what was copied from a local repository, and a second try is heard of twice.
        download.received(pin.size_bytes - counted_bytes)
        return path

    def _unchanged(self, paths: Sequence[Path]) -> bool:
        try:
            return bool(json.loads(self._stamp.read_text(encoding="utf-8")) == self._state(paths))
        except (OSError, ValueError):
            return False

    def _remember(self, paths: Sequence[Path]) -> None:
        fresh = self._stamp.with_suffix(".new")
        fresh.write_text(json.dumps(self._state(paths)), encoding="utf-8")
        fresh.replace(self._stamp)

    def _state(self, paths: Sequence[Path]) -> dict[str, list[int | str]]:
        pinned = {pin.file_name: pin.sha256 for pin in self._pins}
        return {path.name: [pinned[path.name], (stat := path.stat()).st_size, stat.st_mtime_ns] for path in paths}


def sha256_of(path: Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
