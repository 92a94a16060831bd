"""Tier three: two real nodes run our image; pods are replaced, killed and driven away under 200 messages a second.

Where a pod is ended in order every message must be answered 200, and nothing else may be answered. A connection that is
ended as idle may meet a message on its way: the sender's one retry is for that, and such are counted. Whatever was
answered 200 must be published as it must be: the sender compares every membership with its own model of them.
"""

import os
import re
import time
from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes import traffic
from tests.kubernetes.broker import start_kafka
from tests.kubernetes.control_plane import ControlPlane, Resource
from tests.kubernetes.exits import Exits
from tests.kubernetes.images import FOLDER as ARCHIVES
from tests.kubernetes.images import SEGWIRE
from tests.kubernetes.lab import wait_until
from tests.kubernetes.partner import Partner
from tests.kubernetes.readme import readme_commands
from tests.kubernetes.real_node import ADDRESS, RealNodes
from tests.kubernetes.report import Report, require
from tests.kubernetes.tier_two import CHART, WAIT, is_ready, restrict

ROOT = Path(__file__).parents[2]
KINDS = ("ingest", "fan-out", "membership", "sink-partner")
VOLUMES = 12
USER = 10001
STEADY_S = 15
ENDED_BY_FORCE = 137
# Of all attempts: those whose kept connection was ended as idle while they were on their way.
MET_AS_IDLE_SHARE_MAX = 0.005


class Proof:
    """What the steps share."""

    def __init__(self, plane: ControlPlane, report: Report, folder: Path) -> None:
        self.plane = plane
        self.report = report
        self.folder = folder
        self.nodes = RealNodes(plane, folder / "nodes", 2)
        self.servers = ""
        self.values = folder / "values.yaml"

    def url(self) -> str:
        (service,) = self.plane.get("service", "--field-selector=metadata.name=segwire-ingest")
        return f"http://{service['spec']['clusterIP']}"

    def upgrade(self, *changes: str) -> None:
        """Change the release and wait until all is as wanted."""
        changed = [word for change in changes for word in ("--set", change)]
        files = ["-f", str(CHART / "values-small.yaml"), "-f", str(self.values)]
        self.plane.helm("upgrade", "segwire", str(CHART), *files, *changed, *WAIT)

    def settle(self) -> None:
        """Wait until every pod that there should be is ready, and let traffic run over it for a while."""
        for kind in KINDS:
            self.plane.kubectl("rollout", "status", f"statefulset/segwire-{kind}", "--timeout=300s")
        wait_until(lambda: all(is_ready(pod) for pod in self.pods()), "every pod is ready")
        time.sleep(STEADY_S)  # traffic over what is there now, which is what is measured

    def pods(self) -> list[Resource]:
        """Return the pods of the release that run or should."""
        selector = "app.kubernetes.io/instance=segwire,app.kubernetes.io/component!=topics"
        return self.plane.get("pods", "-l", selector)

    def pod(self, name: str) -> Resource:
        (found,) = [each for each in self.pods() if each["metadata"]["name"] == name]
        return found

    def metric(self, pod: str, port: int, name: str) -> float:
        """Return the sum of a metric's series of a pod."""
        path = f"/api/v1/namespaces/default/pods/{pod}:{port}/proxy/metrics"
        text = self.plane.kubectl("get", "--raw", path)
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))


def prove(plane: ControlPlane, report: Report, folder: Path) -> None:
    """Run all of it."""
    proof = Proof(plane, report, folder)
    with report.step(3, "two real nodes"):
        _start_nodes(proof)
    with report.step(3, "Kafka, outside of the cluster"):
        proof.servers = start_kafka(folder / "kafka", ADDRESS)
    partner = Partner(ADDRESS)
    with report.step(3, "the README's three commands") as figures:
        figures["said"] = _three_commands(proof)
    with report.step(3, "two endpoints, budgets and a partner"):
        _enlarge(proof, partner)
    exits = Exits(plane, folder)
    _in_order(proof, partner)
    with report.step(3, "exit codes") as figures:
        figures.update(_all_ended_in_order(exits))
    _by_force(proof, partner)


def _start_nodes(proof: Proof) -> None:
    plane = proof.plane
    plane.kubectl("delete", "node", "-l", "type=kwok", "--ignore-not-found")
    plane.kubectl("delete", "storageclass", "standard", "fast", "--ignore-not-found")
    plane.kubectl("delete", "pv", "--all")
    folder = proof.folder / "volumes"
    for number in range(VOLUMES):
        volume = folder / f"real-{number}"
        volume.mkdir(parents=True)
        volume.chmod(0o770)
        _give(volume)
    plane.add_volumes(VOLUMES, "real", folder, default=True)
    restrict(plane, "default")
    proof.nodes.start([ARCHIVES / "segwire.tar", ARCHIVES / "pause.tar"])


def _give(folder: Path) -> None:
    """Kubernetes hands no folder of a node to a pod's group, as it does with a volume."""
    os.chown(folder, USER, USER)


def _three_commands(proof: Proof) -> str:
    given = {"image.repository=REGISTRY/segwire": f"image.repository={SEGWIRE.partition(':')[0]}"}
    given |= {"kafka.bootstrapServers=kafka:9092": f"kafka.bootstrapServers={proof.servers}"}
    given |= {"deploy/helm/segwire": str(CHART), "deploy/helm/segwire/values-small.yaml": f"{CHART}/values-small.yaml"}
    said = ""
    for program, *words in readme_commands():
        arguments = [given.get(word, word) for word in words]
        run = {"kubectl": proof.plane.kubectl, "helm": proof.plane.helm}[program]
        said = run(*arguments)
    answers = re.findall(r"^answers .*$", said, re.MULTILINE)
    require(bool(re.search(r"answers +200: \d+ \(", said)), f"the last command is answered 200 alone: {said}")
    return " ".join(answers[0].split())


def _enlarge(proof: Proof, partner: Partner) -> None:
    secret = ["--from-literal=key=partner", f"--from-literal=ca.crt={partner.ca_pem}"]
    proof.plane.kubectl("create", "secret", "generic", "partner", *secret)
    destination = {
        "url": partner.url,
        "client_id": "1",
        "destination_id": "2",
        "dpid": 12345,
        "allow_private_addresses": True,
        "ca_file": "/etc/segwire/secrets/partner/ca.crt",
        "auth": {"hmac": {"keys": [{"secret_file": "/etc/segwire/secrets/partner/key"}]}},
        "segments": {str(segment): {} for segment in range(10_000, 10_010)},
    }
    values: dict[str, Any] = {
        "image": {"repository": SEGWIRE.partition(":")[0], "pullPolicy": "Never"},
        "kafka": {"bootstrapServers": proof.servers},
        "config": {"destinations": {"partner": destination}},
        "ingest": {"replicas": 2},
        "podDisruptionBudgets": True,
        "sinks": {"partner": {"secrets": ["partner"]}},
    }
    proof.values.write_text(yaml.safe_dump(values), encoding="utf-8")
    proof.upgrade()


def _in_order(proof: Proof, partner: Partner) -> None:
    """Replace, delete and drive away, each of which ends processes by SIGTERM: no message may notice."""
    running = traffic.Traffic(proof.folder, "in-order", proof.url(), proof.servers)
    report = proof.report
    with report.step(3, "rollout of another image") as figures:
        proof.settle()
        running.require_running()
        proof.upgrade("image.tag=0.1.1")
        proof.settle()
        figures["images"] = sorted({pod["spec"]["containers"][0]["image"] for pod in proof.pods()})
        require(figures["images"] == ["localhost/segwire:0.1.1"], "every pod runs the new image")
    with report.step(3, "rollback"):
        proof.plane.helm("rollback", "segwire", *WAIT)
        proof.settle()
    for kind in KINDS:
        with report.step(3, f"pod of {kind} deleted") as figures:
            before = partner.messages
            proof.plane.kubectl("delete", "pod", f"segwire-{kind}-0", "--wait=true", "--timeout=120s")
            proof.settle()
            figures["messages to the partner"] = partner.messages - before
            require(partner.messages > before, "the partner goes on hearing")
    with report.step(3, "node drained") as figures:
        figures.update(_drain(proof))
    with report.step(3, "nothing lost, nothing but 200") as figures:
        found = running.stop()
        figures.update(traffic.summary(found))
        _require_only_200(found)
        require(found["failed"] == 0, f"every message is answered 200, not {found['failed']} never")
        met = found["answers"].get("unreachable", 0) / found["sent"]
        require(met <= MET_AS_IDLE_SHARE_MAX, f"connections seldom end under a message, not under {met:.2%} of them")


def _require_only_200(found: dict[str, Any]) -> None:
    require(set(found["answers"]) <= {"200", "unreachable"}, f"no answer but 200: {found['answers']}")
    require(traffic.differences(found) == 0, f"memberships are as they must be: {found['differences']}")


def _drain(proof: Proof) -> dict[str, int]:
    """Drive every pod from the first node to the second, one ingest at a time, as its budget says."""
    node = proof.nodes.names[0]
    moved = [pod["metadata"]["name"] for pod in proof.pods() if pod["spec"]["nodeName"] == node]
    proof.plane.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s")
    proof.settle()
    left = [pod["metadata"]["name"] for pod in proof.pods() if pod["spec"]["nodeName"] == node]
    require(bool(moved), f"{node} had pods to drive away")
    require(not left, f"{node} has no pods any more, not {left}")
    proof.plane.kubectl("uncordon", node)
    return {"pods moved": len(moved)}


def _all_ended_in_order(exits: Exits) -> dict[str, Any]:
    found = exits.seen()
    wrong = sorted({f"{pod}: {code}" for pod, code in found.values() if code != 0})
    require(len(found) >= 4 * len(KINDS), f"containers were seen ending: {len(found)}")
    require(not wrong, f"every process ends with 0 at SIGTERM: {wrong}")
    return {"containers ended by SIGTERM with 0": len(found)}


def _by_force(proof: Proof, partner: Partner) -> None:
    """End processes by SIGKILL, and take the state away: connections break, but what was acknowledged is published."""
    running = traffic.Traffic(proof.folder, "by-force", proof.url(), proof.servers)
    for kind in KINDS:
        with proof.report.step(3, f"{kind} killed by SIGKILL") as figures:
            proof.settle()
            running.require_running()
            before = partner.messages
            figures["exit code"] = _kill(proof, f"segwire-{kind}-0")
            proof.settle()
            require(partner.messages > before, "the partner goes on hearing")
    with proof.report.step(3, "membership's volume lost") as figures:
        figures["records restored"] = _lose_state(proof)
        proof.settle()
    with proof.report.step(3, "nothing acknowledged is lost") as figures:
        found = running.stop()
        figures.update(traffic.summary(found))
        _require_only_200(found)


def _kill(proof: Proof, name: str) -> int:
    status = proof.pod(name)["status"]["containerStatuses"][0]
    node = proof.pod(name)["spec"]["nodeName"]
    proof.nodes.kill_container(node, status["containerID"].partition("://")[2])

    def ended() -> bool:
        return int(proof.pod(name)["status"]["containerStatuses"][0]["restartCount"]) > int(status["restartCount"])

    wait_until(ended, f"{name} was started again")
    code = int(proof.pod(name)["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"])
    require(code == ENDED_BY_FORCE, f"{name} was ended by SIGKILL, not {code}")
    return code


def _lose_state(proof: Proof) -> int:
    """Take membership's volume away with its pod; a new one is filled from the changelog."""
    pod, claim = "segwire-membership-0", "data-segwire-membership-0"
    volume = proof.plane.get("pvc", f"--field-selector=metadata.name={claim}")[0]["spec"]["volumeName"]
    proof.plane.kubectl("delete", "pvc", claim, "--wait=false")
    proof.plane.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
    proof.plane.kubectl("rollout", "status", "statefulset/segwire-membership", "--timeout=300s")
    wait_until(lambda: is_ready(proof.pod(pod)), f"{pod} is ready")
    now = proof.plane.get("pvc", f"--field-selector=metadata.name={claim}")[0]["spec"]["volumeName"]
    require(now != volume, f"{pod} has another volume than {volume}")
    restored = int(proof.metric(pod, 8083, "segwire_processor_restored_records_total"))
    require(restored > 0, "the state was restored from its changelog")
    return restored
