"""The project as a stranger gets it: a wheel, installed with nothing but the pinned dependencies."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from segwire.embedded.kafka.cache import default_cache_dir

ROOT = Path(__file__).parent.parent.parent


def shared_folder(base: Path) -> Path:
    """Return where all processes of a run find the installed wheel; `base` is the temporary folder of this one."""
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "installed"


def installed_once(folder: Path) -> Path:
    """Build and install into `folder`, where no other process of this run has; return the folder of the commands."""
    folder.mkdir(exist_ok=True)
    commands = folder / "venv" / "bin"
    done = folder / "done"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            assert install_wheel(build_wheel(folder / "dist"), folder / "venv") == commands
            done.touch()
    return commands


def build_wheel(target: Path) -> Path:
    """Build the wheel from the checkout."""
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)])
    (wheel,) = target.glob("*.whl")
    return wheel


def install_wheel(wheel: Path, environment: Path) -> Path:
    """Install a wheel in a fresh virtual environment and return the folder of its commands.

    The dependencies are those of `segwire[local]`, nothing that only the tests need.
    """
    python = environment / "bin" / "python"
    _run([sys.executable, "-m", "venv", "--without-pip", str(environment)])
    # Without byte code: most of what is installed is never imported.
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--no-input"]
    install = [*pip, "install", "--quiet", "--no-compile", "--no-deps"]
    _run([*install, "--require-hashes", "-r", str(ROOT / "requirements" / "local.txt")])
    _run([*install, str(wheel)])
    _run([*pip, "check"])
    # What the first start otherwise does in the background, and again in each that is killed meanwhile.
    _run([str(python), "-P", "-m", "segwire.embedded.kafka.training", str(default_cache_dir())], python.parent)
    return python.parent


def _run(command: list[str], folder: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


if __name__ == "__main__":
    installed_once(Path(sys.argv[1]))
