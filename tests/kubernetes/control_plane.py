"""A real control plane on loopback: etcd, API server, controllers, scheduler; kwok for nodes that only say they run."""

import json
import secrets
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes.lab import run, start, wait_until
from tests.kubernetes.tools import CRD_FOLDER, PROGRAMS, find

ETCD, PEER, API = 23790, 23800, 26443
SERVICES = "10.96.0.0/16"
ZONES = ("a", "b", "c")

Resource = dict[str, Any]


class ControlPlane:
    """The running cluster, and kubectl and helm for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self._token = secrets.token_hex(16)
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start everything, and return when it answers and knows the definitions of our resources."""
        self._write_credentials()
        self._start_api()
        wait_until(self._is_ready, "the API server is ready")
        config = f"--kubeconfig={self.kubeconfig}"
        for program, options in {
            "kube-controller-manager": [f"--service-account-private-key-file={self.folder}/sa.key"],
            "kube-scheduler": [],
        }.items():
            certificates = f"--cert-dir={self.folder}/{program}"
            common = [config, "--bind-address=127.0.0.1", "--leader-elect=false", certificates]
            start(self.folder, program, str(PROGRAMS / program), *common, *options)
        for file in sorted(CRD_FOLDER.glob("*.yaml")):
            self.kubectl("apply", "--server-side", "-f", str(file))
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")

    def kubectl(self, *arguments: str, given: str | None = None, limit_s: float = 600.0) -> str:
        """Run kubectl; return what it printed."""
        command = [str(PROGRAMS / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments]
        return run(*command, given=given, limit_s=limit_s)

    def helm(self, *arguments: str, limit_s: float = 900.0) -> str:
        """Run Helm; return what it printed."""
        program = find("helm")
        assert program is not None
        return run(str(program), "--kubeconfig", str(self.kubeconfig), *arguments, limit_s=limit_s)

    def get(self, kind: str, *arguments: str) -> list[Resource]:
        """Return the resources of a kind."""
        found: list[Resource] = json.loads(self.kubectl("get", kind, "-o", "json", *arguments))["items"]
        return found

    def apply(self, *resources: Resource) -> None:
        """Make resources, or make them so."""
        self.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(resources))

    def start_fake_nodes(self) -> None:
        """Add three nodes in three zones, whose pods turn ready and do nothing."""
        options = ["--manage-nodes-with-label-selector=type=kwok", "--node-ip=127.0.0.1"]
        options += ["--node-lease-duration-seconds=40", f"--config={PROGRAMS / 'stages.yaml'}"]
        options += [f"--kubeconfig={self.kubeconfig}", "--server-address=127.0.0.1:10247"]
        start(self.folder, "kwok", str(PROGRAMS / "kwok"), *options)
        capacity = {"cpu": "64", "memory": "256Gi", "pods": "110"}
        for zone in ZONES:
            labels = {"type": "kwok", "kubernetes.io/hostname": f"fake-{zone}", "topology.kubernetes.io/zone": zone}
            self.apply(
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "metadata": {"name": f"fake-{zone}", "labels": labels},
                    "status": {"allocatable": capacity, "capacity": capacity},
                }
            )
        self.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=120s")

    def add_volumes(self, count: int, storage_class: str, folder: Path, *, default: bool = False) -> None:
        """Add a storage class, and volumes of it that any node reaches."""
        note = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
        self.apply(
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {"name": storage_class, "annotations": note},
                "provisioner": "kubernetes.io/no-provisioner",
            },
            *(_volume(f"{storage_class}-{number}", storage_class, folder) for number in range(count)),
        )

    def _write_credentials(self) -> None:
        run("openssl", "genrsa", "-out", str(self.folder / "sa.key"), "2048")
        (self.folder / "tokens.csv").write_text(f'{self._token},admin,admin,"system:masters"\n', encoding="ascii")
        cluster = {"server": f"https://127.0.0.1:{API}", "insecure-skip-tls-verify": True}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self._token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}],
            "current-context": "lab",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
        self.kubeconfig.chmod(0o600)

    def _start_api(self) -> None:
        client, peer = f"http://127.0.0.1:{ETCD}", f"http://127.0.0.1:{PEER}"
        options = [f"--data-dir={self.folder}/etcd", "--unsafe-no-fsync", f"--listen-client-urls={client}"]
        options += [f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}"]
        options += [f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"]
        start(self.folder, "etcd", str(PROGRAMS / "etcd"), *options)
        key = self.folder / "sa.key"
        options = [f"--etcd-servers={client}", f"--cert-dir={self.folder}/certificates", "--bind-address=127.0.0.1"]
        options += ["--advertise-address=127.0.0.1", f"--secure-port={API}", "--endpoint-reconciler-type=none"]
        options += ["--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}"]
        options += [f"--service-account-signing-key-file={key}", f"--service-cluster-ip-range={SERVICES}"]
        options += [f"--token-auth-file={self.folder}/tokens.csv", "--authorization-mode=RBAC", "--allow-privileged"]
        options += ["--kubelet-preferred-address-types=InternalIP"]
        start(self.folder, "kube-apiserver", str(PROGRAMS / "kube-apiserver"), *options)

    def _is_ready(self) -> bool:
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        headers = {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(f"https://127.0.0.1:{API}/readyz", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=2, context=unverified) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _volume(name: str, storage_class: str, folder: Path) -> Resource:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "storageClassName": storage_class,
            "capacity": {"storage": "100Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(folder / name), "type": "Directory"},
        },
    }
