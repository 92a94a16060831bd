"""Processes in namespaces of their own: nothing of a cluster is left when it ends, and nothing outside is touched.

The whole run is a second process in new network, mount and process namespaces: its end ends every process in them, the
kernel takes down the rest. What stays is one folder and, after real nodes, empty control groups, which are removed.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Not a variable of Segwire: services refuse those that they do not know.
INSIDE = "CLUSTER_LAB"
LIMIT_S = 180.0
# Where programs leave things whatever they are told.
PRIVATE_FOLDERS = ("/run", "/var/log", "/var/lib/cni")
GROUPS = Path("/sys/fs/cgroup")


def is_root() -> bool:
    return os.geteuid() == 0


def enter(module: str, arguments: Sequence[str]) -> int:
    """Run a module inside; return its exit code."""
    command = ["unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    command += [] if is_root() else ["--user", "--map-root-user"]
    command += [sys.executable, "-m", module, *arguments]
    environment = {**os.environ, INSIDE: "root" if is_root() else "user"}
    return subprocess.run(command, env=environment, check=False).returncode


def is_inside() -> bool:
    return INSIDE in os.environ


def has_rights_for_nodes() -> bool:
    return os.environ.get(INSIDE) == "root"


def furnish() -> None:
    """Bring loopback up; where real nodes can be, route between pods and hide the machine's own folders."""
    run("ip", "link", "set", "lo", "up")
    if not has_rights_for_nodes():
        return
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
    run("mount", "--make-rshared", "/")
    resolver = Path("/etc/resolv.conf").resolve()
    text = resolver.read_text(encoding="utf-8") if resolver.exists() else ""
    for folder in PRIVATE_FOLDERS:
        Path(folder).mkdir(parents=True, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=755", "segwire-lab", folder)
    if str(resolver).startswith(PRIVATE_FOLDERS):
        resolver.parent.mkdir(parents=True, exist_ok=True)
        resolver.write_text(text, encoding="utf-8")


def run(*command: str, given: str | None = None, limit_s: float = LIMIT_S) -> str:
    """Run a command to its end; return what it printed.

    Raises:
        RuntimeError: it failed; with its words.
    """
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=limit_s, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def start(
    folder: Path, name: str, *command: str, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a process that ends with the namespace; it prints into NAME.log."""
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it did not come; the message names it.
    """
    deadline_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(0.2)


def make_groups(name: str) -> None:
    """Make a control group in every hierarchy."""
    for hierarchy in _hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if hierarchy.name == "cpuset":
                (group / setting).write_text((hierarchy / setting).read_text(encoding="ascii"), encoding="ascii")


def remove_groups(prefix: str) -> None:
    """Remove the empty control groups below those whose names begin so."""
    for hierarchy in _hierarchies():
        for group in hierarchy.glob(f"{prefix}*"):
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):  # the kernel is not done with its last process; the next run is
                    Path(folder).rmdir()


def _hierarchies() -> list[Path]:
    if (GROUPS / "cgroup.controllers").exists():
        return [GROUPS]
    return [each for each in GROUPS.iterdir() if each.is_dir() and not each.is_symlink()]
