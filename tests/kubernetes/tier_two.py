"""Tier two: a real API server and its controllers take the chart; the pods only say that they run.

What it shows: the server admits every resource, references and names fit, the controllers make pods and bind volumes,
a release is installed, changed and rolled back, and a changed default does not touch what cannot be changed.
"""

from pathlib import Path

import yaml

from tests.kubernetes.control_plane import ControlPlane, Resource
from tests.kubernetes.report import Report, require

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "segwire"
WAIT = ("--wait", "--timeout", "5m")
SIZES = {
    "small": ("values-small.yaml", ()),
    "large": ("values-large.yaml", ("strimzi.namespace=kafka", "ingest.gateway.enabled=true")),
}
MORE = {"small": 3, "large": 7}
VOLUMES = 24


def prove(plane: ControlPlane, report: Report) -> None:
    """Install, change, roll back and remove both examples."""
    with report.step(2, "fake nodes in three zones") as figures:
        plane.start_fake_nodes()
        folder = plane.folder / "volumes"
        plane.add_volumes(VOLUMES, "standard", folder, default=True)
        plane.add_volumes(VOLUMES, "fast", folder)
        plane.kubectl("create", "namespace", "kafka")
        figures["nodes"] = len(plane.get("nodes"))
    for size, (file, changes) in SIZES.items():
        _prove_size(plane, report, size, ["-f", str(CHART / file), *_set(*changes)])


def _prove_size(plane: ControlPlane, report: Report, size: str, values: list[str]) -> None:
    at = ["--namespace", size, *values]
    install = ["install", "segwire", str(CHART), *at]
    plane.kubectl("create", "namespace", size)
    restrict(plane, size)
    with report.step(2, f"{size}: dry run on the server"):
        plane.helm(*install, "--dry-run=server", *WAIT)
    with report.step(2, f"{size}: install") as figures:
        plane.helm(*install, *WAIT)
        figures["resources"] = _applied_again(plane, size)
        figures["ready pods"] = _ready_pods(plane, size)
        figures["images"] = _images(plane, size)
    with report.step(2, f"{size}: upgrade") as figures:
        changes = _set("image.tag=0.1.1", f"ingest.replicas={MORE[size]}", "podAnnotations.changed=yes")
        plane.helm("upgrade", "segwire", str(CHART), *at, *changes, *WAIT)
        figures["images"] = _images(plane, size)
        figures["ready pods"] = _ready_pods(plane, size)
        require(figures["images"] == ["segwire:0.1.1"], f"all run the new image, not {figures['images']}")
    with report.step(2, f"{size}: rollback") as figures:
        plane.helm("rollback", "segwire", "1", "--namespace", size, *WAIT)
        figures["images"] = _images(plane, size)
        require(figures["images"] == ["segwire:0.1.0"], f"all run the old image, not {figures['images']}")
        claims = {each["metadata"]["name"] for each in plane.get("pvc", "--namespace", size)}
        kept = f"data-segwire-ingest-{MORE[size] - 1}"
        figures["volumes kept"] = len(claims)
        require(kept in claims, f"{kept} stays after scaling down: {sorted(claims)}")
    with report.step(2, f"{size}: budgets and scaling") as figures:
        figures.update(_budgets(plane, size))
    with report.step(2, f"{size}: uninstall") as figures:
        plane.helm("uninstall", "segwire", "--namespace", size, "--wait", "--timeout", "5m")
        claims_left = plane.get("pvc", "--namespace", size)
        figures["volumes kept"] = len(claims_left)
        require(len(claims_left) >= 2, "volumes of ingest and membership stay")
        plane.kubectl("delete", "namespace", size, "--wait", "--timeout=120s")


def restrict(plane: ControlPlane, namespace: str) -> None:
    """Let Kubernetes itself refuse every pod that is not as restricted as its strictest standard."""
    plane.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")


def _applied_again(plane: ControlPlane, size: str) -> int:
    """Apply what is installed once more, as a server-side dry run: it is admitted, and how many it are."""
    manifest = plane.helm("get", "manifest", "segwire", "--namespace", size)
    resources = [each for each in yaml.safe_load_all(manifest) if each]
    for each in resources:
        each["metadata"].setdefault("namespace", size)
    options = ["--server-side", "--force-conflicts", "--dry-run=server"]
    said = plane.kubectl("apply", *options, "-f", "-", given=yaml.safe_dump_all(resources))
    return len(said.strip().splitlines())


def _ready_pods(plane: ControlPlane, size: str) -> int:
    pods = [each for each in plane.get("pods", "--namespace", size) if each["status"]["phase"] == "Running"]
    waiting = [each["metadata"]["name"] for each in pods if not is_ready(each)]
    require(not waiting, f"every pod is ready, not {waiting}")
    zones = {each["spec"]["nodeName"] for each in pods}
    require(size == "small" or len(zones) == 3, f"pods are spread over the zones, not on {zones} alone")
    return len(pods)


def is_ready(pod: Resource) -> bool:
    """Say whether Kubernetes sends a pod requests."""
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _images(plane: ControlPlane, size: str) -> list[str]:
    running = [each for each in plane.get("pods", "--namespace", size) if each["status"]["phase"] == "Running"]
    return sorted({container["image"] for pod in running for container in pod["spec"]["containers"]})


def _budgets(plane: ControlPlane, size: str) -> dict[str, int]:
    budgets = plane.get("pdb", "--namespace", size)
    blocked = [each["metadata"]["name"] for each in budgets if each["status"]["expectedPods"] == 0]
    require(not blocked, f"each budget has pods, not {blocked}")
    scaled = plane.get("scaledobject", "--namespace", size)
    return {"budgets": len(budgets), "scaled by lag": len(scaled)}


def _set(*changes: str) -> list[str]:
    return [word for change in changes for word in ("--set", change)]
