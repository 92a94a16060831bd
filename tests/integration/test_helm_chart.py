"""The Helm chart: rendered, linted, checked against the schemas of Kubernetes, and read by Segwire itself."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.settings import KafkaSettings, Settings
from runtime.settings_loader import load_settings
from schemas.topics import TOPICS, outbound_state
from segwire.contracts.strimzi import kafka_topic
from tests.kubernetes.readme import readme_commands
from tests.kubernetes.tools import MISSING, SCHEMAS, find
from tests.support.helm import (
    CHART,
    LIMIT_S,
    Resource,
    container_of,
    environment_of,
    of_kind,
    pod_of,
    render,
    render_text,
    run_helm,
)

VALUES = ("values-small.yaml", "values-large.yaml")
WORKLOADS = ("StatefulSet", "Deployment", "Job")


@pytest.fixture(scope="module", params=VALUES)
def values(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def resources(values: str) -> list[Resource]:
    return render(values)


@pytest.fixture(scope="module")
def large() -> list[Resource]:
    return render("values-large.yaml")


def test_lint_finds_nothing(values: str) -> None:
    linted = run_helm("lint", "--strict", str(CHART), "-f", str(CHART / values))
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_resources_are_what_kubernetes_takes(tmp_path: Path) -> None:
    program = find("kubeconform")
    if program is None or not SCHEMAS.exists():
        pytest.skip(f"kubeconform or its schemas: {MISSING}")
    variants = {
        "small": ("values-small.yaml",),
        "large": ("values-large.yaml",),
        "tls": ("values-small.yaml", "--set", "kafka.authentication=tls", "--set", "ingest.tls.secretName=tls"),
        "gateway": ("values-small.yaml", "--set", "ingest.gateway.enabled=true"),
    }
    for name, options in variants.items():
        (tmp_path / f"{name}.yaml").write_text(render_text(*options), encoding="utf-8")
    where = f"{SCHEMAS}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
    command = [str(program), "-strict", "-summary", "-output", "json", "-schema-location", where, str(tmp_path)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert checked.returncode == 0, checked.stdout
    summary = json.loads(checked.stdout)["summary"]
    assert summary["valid"] > 80
    assert (summary["invalid"], summary["errors"], summary["skipped"]) == (0, 0, 0)


def test_segwire_understands_what_it_is_told(resources: list[Resource], tmp_path: Path) -> None:
    file = tmp_path / "segwire.yaml"
    (told,) = [each for each in of_kind(resources, "ConfigMap") if "segwire.yaml" in each["data"]]
    file.write_text(told["data"]["segwire.yaml"], encoding="utf-8")
    workloads = of_kind(resources, *WORKLOADS)
    assert len(workloads) >= 3
    for workload in workloads:
        settings = load_settings(file, environment_of(workload))
        assert settings.kafka.bootstrap_servers
        assert settings.management.host == "0.0.0.0" or workload["kind"] == "Job"
        _ordinal_is_the_pods(workload, settings)


def _ordinal_is_the_pods(workload: Resource, settings: Settings) -> None:
    args = container_of(workload)["args"]
    ordinals = {
        "fan-out": settings.fan_out.ordinal,
        "membership": settings.membership.ordinal,
        **{name: section.ordinal for name, section in settings.effective_sinks().items()},
    }
    if args[0] in ("process", "sink"):
        assert ordinals.pop(args[1]) == 7
        assert workload["kind"] == "StatefulSet"
    assert set(ordinals.values()) <= {0}


def test_pods_have_no_more_rights_than_they_need(resources: list[Resource]) -> None:
    for workload in of_kind(resources, *WORKLOADS):
        pod, container = pod_of(workload), container_of(workload)
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_pods_say_what_they_need_and_how_they_are(resources: list[Resource]) -> None:
    for workload in of_kind(resources, *WORKLOADS):
        container = container_of(workload)
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
        assert not container["image"].endswith(":latest")
        if workload["kind"] != "Job":
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)


def test_what_is_acknowledged_or_kept_is_on_volumes_that_stay(resources: list[Resource]) -> None:
    kept = {each["metadata"]["name"]: each["spec"] for each in of_kind(resources, "StatefulSet")}
    for name in ("demo-ingest", "demo-membership"):
        assert kept[name]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"
        assert kept[name]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_a_pod_is_given_time_to_drain(resources: list[Resource]) -> None:
    (ingest,) = [each for each in of_kind(resources, "StatefulSet") if each["metadata"]["name"] == "demo-ingest"]
    grace_ms = int(environment_of(ingest)["SEGWIRE_INGEST__DRAIN_GRACE_MS"])
    settings = Settings()
    needed_s = (grace_ms + settings.ingest.drain_timeout_ms) / 1000 + 8
    assert pod_of(ingest)["terminationGracePeriodSeconds"] > needed_s


def test_secrets_are_only_where_they_are_needed(large: list[Resource]) -> None:
    mounted = {
        each["metadata"]["name"]: {
            mount["mountPath"].rpartition("/")[2]
            for mount in container_of(each)["volumeMounts"]
            if mount["mountPath"].startswith("/etc/segwire/secrets/")
        }
        for each in of_kind(large, *WORKLOADS)
    }
    assert mounted == {
        "demo-ingest": {"adobe"},
        "demo-fan-out": set(),
        "demo-membership": set(),
        "demo-sink-warehouse": {"warehouse"},
        "demo-sink-partner-a": {"partner-a"},
    }


def test_kafka_topics_are_those_of_the_manifest(large: list[Resource]) -> None:
    kafka = KafkaSettings(partitions=48, replication_factor=3, topic_prefix="segwire.")
    wanted = [kafka_topic(topic, kafka, "events") for topic in (*TOPICS, outbound_state("partner-a"))]
    found = {each["spec"]["topicName"]: each["spec"] for each in of_kind(large, "KafkaTopic")}
    assert found == {each["spec"]["topicName"]: each["spec"] for each in wanted}


def test_kafka_users_may_nothing_beyond_the_prefix(large: list[Resource]) -> None:
    users = of_kind(large, "KafkaUser")
    assert {each["metadata"]["name"] for each in users} == {
        f"demo-{name}" for name in ("ingest", "fan-out", "membership", "sinks")
    }
    for user in users:
        for acl in user["spec"]["authorization"]["acls"]:
            name = acl["resource"]["name"]
            assert name.startswith("segwire.") or (acl["resource"]["type"], name) == ("group", "segwire-reader")
            assert "All" not in acl["operations"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kafka": {"bootstrapServers": ""}}, "/kafka/bootstrapServers"),
        ({"ingest": {"replica": 2}}, "'replica' not allowed"),
        ({"sinks": {"lake": {}}}, "config has neither sinks.lake nor destinations.lake"),
        ({"config": {"sinks": {"lake": {"type": "postgres"}}}}, "add `sinks: {lake: {}}`"),
        ({"strimzi": {"topics": True}}, "strimzi.cluster: the name of your Kafka resource"),
        ({"ingest": {"ingress": {"enabled": True}}}, "under which name do senders post?"),
    ],
)
def test_wrong_values_are_refused_with_a_remedy(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(changed), encoding="utf-8")
    done = run_helm("template", "demo", str(CHART), "-f", str(CHART / "values-small.yaml"), "-f", str(file))
    assert done.returncode != 0
    assert message in done.stderr


def test_alerts_lead_to_the_runbooks_that_were_named() -> None:
    text = render_text("values-large.yaml", "--set", "monitoring.runbooksUrl=https://wiki.example.org/r")
    assert "https://wiki.example.org/r/loss-risk.md" in text
    assert "docs/runbooks" not in text


def test_every_page_leads_to_a_200_by_the_same_commands() -> None:
    commands = readme_commands()
    assert [command[0] for command in commands] == ["kubectl", "helm", "kubectl"]
    text = (CHART.parents[2] / "README.md").read_text(encoding="utf-8")
    for page in (text, (CHART / "values-small.yaml").read_text(encoding="utf-8").replace("\n#", "\n")):
        words = page.replace("\\\n", " ").split()
        for command in commands:
            assert " ".join(command) in " ".join(words)


def test_notes_say_the_command_that_leads_to_a_200() -> None:
    options = ["-f", str(CHART / "values-small.yaml"), "--dry-run=client"]
    told = run_helm("install", "segwire", str(CHART), *options)
    assert told.returncode == 0, told.stderr
    command = " ".join(readme_commands()[-1]).replace("kubectl exec", "kubectl -n default exec")
    assert command in told.stdout
