"""Real nodes: containerd, kubelet and kube-proxy, whose pods are processes with addresses on one bridge.

Two nodes share the machine, so that pods of one can go to the other. Their volumes are folders that both reach, as a
network's volumes would be.
"""

import json
from pathlib import Path

import yaml

from tests.kubernetes.control_plane import SERVICES, ControlPlane
from tests.kubernetes.lab import make_groups, run, start, wait_until
from tests.kubernetes.tools import PROGRAMS

BRIDGE, NET = "segwire0", "10.88.77"
ADDRESS = f"{NET}.1"
GROUP_PREFIX = "segwire-real-"
_CNI_PROGRAMS = "/usr/lib/cni"


class RealNodes:
    """Nodes beside a control plane."""

    def __init__(self, plane: ControlPlane, folder: Path, count: int) -> None:
        self._plane = plane
        self._folder = folder
        self.names = [f"real-{number}" for number in range(1, count + 1)]

    def start(self, archives: list[Path]) -> None:
        """Start them, and return when they are ready and have the images."""
        self._make_bridge()
        for number, name in enumerate(self.names, start=1):
            self._start_one(name, f"{NET}.{number}", number, archives)
        options = [f"--kubeconfig={self._plane.kubeconfig}", "--proxy-mode=nftables", "--bind-address=127.0.0.1"]
        options += [f"--cluster-cidr={NET}.0/24", "--conntrack-max-per-core=0", f"--nodeport-addresses={NET}.0/24"]
        options += [f"--hostname-override={self.names[0]}"]
        start(self._folder, "kube-proxy", str(PROGRAMS / "kube-proxy"), *options)
        for name in self.names:
            self._plane.kubectl("wait", "--for=create", f"node/{name}", "--timeout=120s")
            self._plane.kubectl("wait", "--for=condition=Ready", f"node/{name}", "--timeout=120s")

    def kill_container(self, node: str, container_id: str) -> None:
        """End a container's processes as an out-of-memory kill would."""
        self._ctr(node, "tasks", "kill", "--signal", "SIGKILL", "--all", container_id)

    def _make_bridge(self) -> None:
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        for number in range(1, len(self.names) + 1):
            run("ip", "address", "add", f"{NET}.{number}/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        # What comes from here finds a route first, and only then the address of a pod behind a service's.
        run("ip", "route", "add", SERVICES, "dev", BRIDGE, "src", ADDRESS)
        folder = self._folder / "cni"
        folder.mkdir(parents=True, exist_ok=True)
        addresses = {"subnet": f"{NET}.0/24", "rangeStart": f"{NET}.20", "gateway": ADDRESS}
        allocation = {"type": "host-local", "dataDir": str(folder / "state"), "ranges": [[addresses]]}
        bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": False, "ipMasq": False, "hairpinMode": True}
        bridge |= {"ipam": allocation | {"routes": [{"dst": "0.0.0.0/0"}]}}
        ports = {"type": "portmap", "capabilities": {"portMappings": True}}
        chain = {"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge, ports]}
        (folder / "10-lab.conflist").write_text(json.dumps(chain), encoding="utf-8")

    def _start_one(self, name: str, address: str, number: int, archives: list[Path]) -> None:
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        make_groups(f"{GROUP_PREFIX}{number}")
        (folder / "containerd.toml").write_text(self._containerd(folder), encoding="utf-8")
        start(folder, "containerd", "containerd", "-c", str(folder / "containerd.toml"))
        wait_until(lambda: self._answers(name), f"containerd of {name} answers")
        for archive in archives:
            self._ctr(name, "images", "import", str(archive))
        (folder / "kubelet.yaml").write_text(yaml.safe_dump(self._kubelet(folder, address, number)), encoding="utf-8")
        options = [f"--config={folder}/kubelet.yaml", f"--kubeconfig={self._plane.kubeconfig}"]
        options += [f"--root-dir={folder}/kubelet", f"--cert-dir={folder}/certificates", f"--node-ip={address}"]
        options += [f"--hostname-override={name}", "--node-labels=real=true"]
        start(folder, "kubelet", str(PROGRAMS / "kubelet"), *options)

    def _containerd(self, folder: Path) -> str:
        return f"""version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  # Where the machine itself may not lower its score.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{_CNI_PROGRAMS}"
    conf_dir = "{self._folder}/cni"
"""

    def _kubelet(self, folder: Path, address: str, number: int) -> dict[str, object]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "address": address,
            "healthzPort": 10248 + 10 * number,
            "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{GROUP_PREFIX}{number}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "enforceNodeAllocatable": [],
            "oomScoreAdj": 0,
            "localStorageCapacityIsolation": False,
            "podLogsDir": str(folder / "pods"),
            "volumePluginDir": str(folder / "plugins"),
            "evictionHard": {"memory.available": "100Mi"},
        }

    def _answers(self, name: str) -> bool:
        try:
            self._ctr(name, "version")
        except RuntimeError:
            return False
        return True

    def _ctr(self, name: str, *arguments: str) -> str:
        address = str(self._folder / name / "containerd.sock")
        return run("ctr", "--address", address, "--namespace", "k8s.io", *arguments, limit_s=600)
