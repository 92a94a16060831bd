"""A reader that shares no code with us, in Go: built once below the user's cache, of the sources in `tests/foreign`.

`python -m tests.support.foreign` builds it; it needs Go, and the Go module proxy the first time.
"""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parent.parent / "foreign"
CACHE = Path.home() / ".cache" / "segwire" / "foreign"
MISSING = "the Go reader is not built: `make foreign` builds it (needs Go, about two minutes)"
_BUILD_LIMIT_S = 900
_READ_LIMIT_S = 120


def program() -> Path:
    """Return where the program of these sources is, whether it was built or not."""
    sources = b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))
    return CACHE / f"foreign-{hashlib.sha256(sources).hexdigest()[:16]}"


def build() -> Path:
    """Build the program unless it is there.

    Raises:
        FileNotFoundError: there is no Go.
        subprocess.CalledProcessError: it cannot be built.
    """
    target = program()
    if not target.exists():
        go = shutil.which("go")
        if go is None:
            raise FileNotFoundError("go: not installed; install Go 1.26 or newer")
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        subprocess.run([go, "build", "-o", fresh, "."], cwd=SOURCES, check=True, timeout=_BUILD_LIMIT_S)
        fresh.replace(target)
    return target


def read(servers: str, registry_url: str, topic: str, records: int) -> list[dict[str, Any]]:
    """Return so many records of a topic: partition, offset, schema_id and the decoded value of each."""
    command = [str(program()), servers, registry_url, topic, str(records)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_READ_LIMIT_S, check=False)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


if __name__ == "__main__":
    build()
