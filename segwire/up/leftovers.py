"""What a killed `up` left running in its data directory."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

RUN_DIR = "run"


def note_child(data_dir: Path, name: str, pid: int) -> None:
    """Remember a child, so that the next `up` finds it should this one be killed."""
    try:
        born_s = psutil.Process(pid).create_time()
    except psutil.Error:
        return
    path = data_dir / RUN_DIR / f"{name}.pid"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pid": pid, "born_s": born_s}), encoding="utf-8")


def forget_child(data_dir: Path, name: str) -> None:
    """Forget a child that ended."""
    (data_dir / RUN_DIR / f"{name}.pid").unlink(missing_ok=True)


def end_leftovers(data_dir: Path, grace_s: float, tell: Callable[[str], None]) -> None:
    """Wait until the children of a killed predecessor have ended; kill what is left after `grace_s`."""
    found = dict(_leftovers(data_dir))
    if not found:
        return
    tell("waiting for what the killed `up` left: " + ", ".join(f"{n} (process {p.pid})" for n, p in found.items()))
    _, alive = psutil.wait_procs(list(found.values()), timeout=grace_s)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=grace_s)
    for name in found:
        forget_child(data_dir, name)


def _leftovers(data_dir: Path) -> Iterator[tuple[str, psutil.Process]]:
    for path in sorted((data_dir / RUN_DIR).glob("*.pid")):
        try:
            noted = json.loads(path.read_text(encoding="utf-8"))
            process = psutil.Process(int(noted["pid"]))
            # The same number may belong to another process by now.
            if abs(process.create_time() - float(noted["born_s"])) < 1:
                yield path.stem, process
                continue
        except (OSError, ValueError, TypeError, KeyError, psutil.Error):
            pass
        path.unlink(missing_ok=True)
