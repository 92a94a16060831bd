"""The chart in three tiers: `make k8s`. The second needs no rights; the third root, Debian's packages and podman.

First what needs no cluster, then a real API server, then real nodes. Half an hour the first time, as all is built.

Exits 1 where anything is not as promised; `--tiers` names which to run.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from tests.kubernetes import image_checks, images, lab, programs, tier_three, tier_two, tools
from tests.kubernetes.broker import fetch_kafka
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.real_node import GROUP_PREFIX
from tests.kubernetes.report import Report

FOLDER = tools.CACHE / "k8s"
PACKAGES = {
    "openssl": "openssl",
    "unshare": "util-linux",
    "ip": "iproute2",
}
NODE_PACKAGES = {
    "podman": "podman",
    "buildah": "buildah",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "containerd": "containerd",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "nft": "nftables",
}


@click.command()
@click.option("--tiers", default="1,2,3", show_default=True, help="Which to run.")
@click.option("--image/--no-image", default=True, help="Build the image, or take the last one.")
def main(tiers: str, image: bool) -> None:
    """Prove the chart on a cluster that this command makes and takes down."""
    wanted = {int(each) for each in tiers.split(",")}
    if lab.is_inside():
        _prove(wanted)
        return
    if 3 in wanted and not lab.is_root():
        click.echo("tier 3 is left out: real nodes need root", err=True)
        wanted.discard(3)
    _prepare(wanted, image)
    if 1 in wanted:
        _check_without_a_cluster()
        wanted.discard(1)
    if wanted:
        sys.exit(_prove_on_a_cluster(wanted))


def _prove_on_a_cluster(wanted: set[int]) -> int:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        code = lab.enter("tests.kubernetes.prove", ["--tiers", ",".join(map(str, sorted(wanted)))])
    finally:
        lab.remove_groups(GROUP_PREFIX)
    click.echo(f"logs and figures: {FOLDER}")
    return code


def _check_without_a_cluster() -> None:
    """Tier one: lint, schemas, policies, what Segwire reads of it, and the Containerfile."""
    click.echo("tier 1: the chart's and the image's tests")
    tests = ["tests/integration/test_helm_chart.py", "tests/unit/deploy/test_helm.py"]
    tests.append("tests/unit/deploy/test_containerfile.py")
    subprocess.run([sys.executable, "-m", "pytest", "-q", *tests], cwd=images.ROOT, check=True)
    image_checks.lint()


def _prepare(wanted: set[int], image: bool) -> None:
    """Fetch and build all that needs a network."""
    _install(PACKAGES | (NODE_PACKAGES if 3 in wanted else {}))
    programs.put_go_on_path()
    if tools.find("helm") is None or not tools.CRD_FOLDER.exists():
        tools.main()
    programs.build()
    if 3 in wanted:
        fetch_kafka()
        if image or not images.FOLDER.exists():
            images.make()
        click.echo(f"image: {images.size_bytes()} bytes; its user and hot path: {images.runs_with_least_rights()}")


def _install(needed: dict[str, str]) -> None:
    missing = [package for program, package in needed.items() if shutil.which(program) is None]
    if not missing:
        return
    if not lab.is_root() or shutil.which("apt-get") is None:
        raise click.ClickException(f"missing: {' '.join(missing)}; install these packages and run it again")
    click.echo(f"installing {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "--yes", "--no-install-recommends", "-qq", *missing]
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)


def _prove(wanted: set[int]) -> None:
    lab.furnish()
    report = Report(FOLDER / "report.json")
    plane = ControlPlane(Path(FOLDER) / "control-plane")
    with report.step(min(wanted), "control plane"):
        plane.start()
    if 2 in wanted:
        tier_two.prove(plane, report)
    if 3 in wanted:
        tier_three.prove(plane, report, FOLDER)


if __name__ == "__main__":
    main()
