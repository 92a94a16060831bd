"""Builds the peers and the load generator, each once, in a directory that is kept."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

_SOURCES = Path(__file__).parent
_FASTAPI = [
    "aiokafka==0.14.0", "fastapi==0.165.0", "httptools==0.9.0", "pydantic==2.14.3", "uvicorn==0.54.0", "uvloop==0.23.0",
]  # fmt: skip


def program(name: str, cache: Path) -> Path:
    """Build the Go program in the folder `name`; return where it is."""
    if shutil.which("go") is None:
        raise SystemExit("go: not found; install Go 1.26 or newer: the load generator and two peers are built with it")
    source, built = _SOURCES / name, cache / name
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(source.iterdir()))).hexdigest()
    marker = cache / f"{name}.sha256"
    if not (built.exists() and marker.exists() and marker.read_text(encoding="ascii") == digest):
        print(f"building {name} (Bento takes ten minutes)" if name == "bento" else f"building {name}", flush=True)
        subprocess.run(
            ["nice", "go", "build", "-trimpath", "-buildvcs=false", "-o", str(built), "."],
            cwd=source,
            env={**os.environ, "CGO_ENABLED": "0"},
            check=True,
        )
        marker.write_text(digest, encoding="ascii")
    return built


def python(cache: Path) -> Path:
    """Make the virtual environment of the FastAPI peer; return its interpreter."""
    interpreter, marker = cache / "fastapi" / "bin" / "python", cache / "fastapi" / "installed.txt"
    if not marker.exists() or marker.read_text(encoding="utf-8") != str(_FASTAPI):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(cache / "fastapi")], check=True)
        subprocess.run([str(interpreter), "-m", "pip", "install", "-q", *_FASTAPI], check=True)
        marker.write_text(str(_FASTAPI), encoding="utf-8")
    return interpreter
