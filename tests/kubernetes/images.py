"""The images that a real node needs, built here by podman: Segwire's own, and what holds a pod's namespaces."""

import os
import subprocess
import tempfile
from pathlib import Path

from tests.kubernetes.tools import CACHE, PROGRAMS

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "deploy" / "image" / "build.sh"
SETTINGS = ROOT / "deploy" / "image" / "containers.conf"
FOLDER = CACHE / "images"
SEGWIRE, NEXT, PAUSE = "localhost/segwire:0.1.0", "localhost/segwire:0.1.1", "localhost/pause:1"


def make() -> list[Path]:
    """Build the images; return their archives. Two versions of ours, the second with a layer more, to roll out."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run(["nice", "-n", "15", str(BUILD), SEGWIRE], check=True)
    _derive(f'FROM {SEGWIRE}\nLABEL org.opencontainers.image.version="0.1.1"\n', NEXT, ROOT / "deploy")
    _derive('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n', PAUSE, PROGRAMS)
    archives = {"segwire.tar": [SEGWIRE, NEXT], "pause.tar": [PAUSE]}
    for name, tags in archives.items():
        (FOLDER / name).unlink(missing_ok=True)
        _podman("save", "--quiet", "--multi-image-archive", "--output", str(FOLDER / name), *tags)
    return [FOLDER / name for name in archives]


def run_inside(command: list[str], folders: dict[str, str]) -> str:
    """Run a command in a container of the image, with folders of this machine to read; return what it printed."""
    shown = [word for here, there in folders.items() for word in ("--volume", f"{here}:{there}:ro")]
    program, *arguments = command
    options = ["--rm", "--read-only", "--cap-drop=ALL", "--network=none", *shown, "--entrypoint", program]
    return _podman("run", *options, SEGWIRE, *arguments)


def size_bytes() -> int:
    return int(_podman("image", "inspect", "--format", "{{.Size}}", SEGWIRE))


def runs_with_least_rights() -> str:
    """Run the image with a read-only root and no rights; return what it says of itself."""
    rights = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none"]
    check = "import os, pathlib, processors.membership as m; print(os.getuid(), pathlib.Path(m.__file__).suffix)"
    said = _podman("run", "--rm", *rights, "--entrypoint", "python", SEGWIRE, "-c", check)
    _podman("run", "--rm", *rights, SEGWIRE, "--help")
    return said.strip()


def _derive(text: str, tag: str, context: Path) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".Containerfile") as file:
        file.write(text)
        file.flush()
        _podman("build", "--quiet", "--isolation=chroot", "-f", file.name, "-t", tag, str(context))


def _podman(*arguments: str) -> str:
    environment = {**os.environ, "CONTAINERS_CONF": str(SETTINGS)}
    done = subprocess.run(["podman", *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout
