"""Checks of the brokers and the topics."""

from collections.abc import Sequence

from runtime.kafka.clients import admin_client, require_brokers
from runtime.kafka.topics import TopicState, describe_topics
from runtime.settings import KafkaSettings
from schemas.topics import Topic
from segwire.inspect.doctor.finding import Finding

_TIMEOUT_S = 10.0
_ANSWER_S = 5.0


def check_brokers(kafka: KafkaSettings) -> list[Finding]:
    """Check that Kafka answers and has a controller.

    Raises:
        UnreachableKafkaError: nobody answered.
    """
    require_brokers(kafka, _ANSWER_S)
    admin = admin_client(kafka)  # held: an answer still awaited dies with its client
    cluster = admin.describe_cluster(request_timeout=_TIMEOUT_S).result(_TIMEOUT_S)
    brokers = ", ".join(f"{node.id} at {node.host}:{node.port}" for node in sorted(cluster.nodes, key=lambda n: n.id))
    findings = [Finding("brokers", ok=True, value=f"{brokers}; cluster {cluster.cluster_id}")]
    if cluster.controller is None:
        findings.append(Finding("controller", False, "none", "see the controllers' logs: they have no quorum"))
    return findings


def check_topics(kafka: KafkaSettings, topics: Sequence[Topic]) -> list[Finding]:
    """Check that these topics are as the manifest and the configuration want them, with their replicas in sync."""
    states = describe_topics(kafka, topics)
    return [*judge_topics(states, kafka), *_check_replicas(kafka, [state.name for state in states])]


def judge_topics(states: Sequence[TopicState], kafka: KafkaSettings) -> list[Finding]:
    """Judge each topic by what is wanted of it."""
    return [_judge_topic(state, kafka) for state in states]


def _judge_topic(state: TopicState, kafka: KafkaSettings) -> Finding:
    check = f"topic {state.name}"
    if state.partitions == 0:
        return Finding(check, False, "missing", "create it: segwire topics apply")
    value = f"{state.partitions} partitions, replication factor {state.replication_factor}"
    if state.partitions != kafka.partitions:
        remedy = f"set kafka.partitions: {state.partitions}, or use another kafka.topic_prefix (a user cannot move)"
        return Finding(check, False, f"{value}, but {kafka.partitions} partitions are configured", remedy)
    if state.differing:
        found = "; ".join(f"{k} is {state.settings.get(k)}, not {v}" for k, v in sorted(state.differing.items()))
        return Finding(check, False, f"{value}; {found}", "set it: segwire topics apply")
    if state.replication_factor < kafka.replication_factor:
        remedy = "add replicas with kafka-reassign-partitions, or set kafka.replication_factor to what is there"
        return Finding(check, False, f"{value}, but {kafka.replication_factor} is configured", remedy)
    return Finding(check, ok=True, value=f"{value}, settings as wanted")


def _check_replicas(kafka: KafkaSettings, names: Sequence[str]) -> list[Finding]:
    found = admin_client(kafka).list_topics(timeout=_TIMEOUT_S).topics
    partitions = [(name, p) for name in names if name in found for p in found[name].partitions.values()]
    bad = [f"{name}[{p.id}]" for name, p in partitions if p.leader < 0 or len(p.isrs) < len(p.replicas)]
    if not partitions:
        return []
    if bad:
        some = ", ".join(bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        remedy = "bring back the brokers that are down; see their logs"
        return [Finding("replicas", False, f"without a leader or out of sync: {some}", remedy)]
    return [Finding("replicas", ok=True, value=f"all {len(partitions)} partitions have a leader and are in sync")]
