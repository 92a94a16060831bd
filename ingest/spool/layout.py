"""Where the spools of a machine are: one directory per worker below the data directory."""

from pathlib import Path

SPOOL_DIRECTORY = "spool"


def spool_parent(data_dir: Path) -> Path:
    """Return the directory that holds every worker's spool."""
    return data_dir / SPOOL_DIRECTORY


def worker_name(worker: int) -> str:
    """Return the name of a worker's spool directory."""
    return f"worker-{worker}"
