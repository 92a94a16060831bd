"""Creates the topics of the manifest, and tells how those of a cluster differ from it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from runtime.errors import ConfigurationError, SegwireError
from runtime.kafka.clients import admin_client, require_brokers
from runtime.settings import KafkaSettings
from schemas.topics import TOPICS, Topic

_TIMEOUT_S = 30.0
# A busy cluster may take long to make topics, and there is nothing to be done without them.
_CREATE_S = 120.0
# The client's own error comes first: it says more than that nothing came.
_CREATE_WAIT_S = _CREATE_S + 10.0


class TopicState(msgspec.Struct, frozen=True, kw_only=True):
    """One topic as it is on the cluster beside what the manifest wants; `partitions` 0: it does not exist."""

    topic: Topic
    name: str
    partitions: int
    replication_factor: int
    settings: dict[str, str]
    wanted: dict[str, str]

    @property
    def differing(self) -> dict[str, str]:
        """The settings to change, with the values wanted."""
        return {key: value for key, value in self.wanted.items() if self.settings.get(key) != value}


def describe_topics(kafka: KafkaSettings, topics: Sequence[Topic] = TOPICS) -> list[TopicState]:
    """Return every topic of the manifest, or these, as it is on the cluster.

    Raises:
        UnreachableKafkaError: nobody answered.
    """
    require_brokers(kafka)
    admin = admin_client(kafka)
    found = admin.list_topics(timeout=_TIMEOUT_S).topics
    names = {kafka.topic_prefix + topic.name: topic for topic in topics}
    settings = _read_settings(admin, [name for name in names if name in found])
    states = []
    for name, topic in names.items():
        partitions = found[name].partitions if name in found else {}
        states.append(
            TopicState(
                topic=topic,
                name=name,
                partitions=len(partitions),
                replication_factor=len(partitions[0].replicas) if partitions else 0,
                settings=settings.get(name, {}),
                wanted=topic.configuration(),
            )
        )
    return states


def apply_topics(kafka: KafkaSettings, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Create missing topics and set differing settings; return one line for each thing done.

    Safe to call from several processes at once. Partition counts are never changed: a user's partition number would
    change with it.

    Raises:
        ConfigurationError: an existing topic has another partition count than configured.
        UnreachableKafkaError: nobody answered.
    """
    states = describe_topics(kafka, topics)
    _check_partitions(kafka, states)
    admin = admin_client(kafka)
    done = _create(admin, kafka, [state for state in states if state.partitions == 0])
    for state in states:
        if state.partitions and state.differing:
            _alter(admin, state)
            done.append(f"{state.name}: set {', '.join(f'{k}={v}' for k, v in sorted(state.differing.items()))}")
    return done


def _check_partitions(kafka: KafkaSettings, states: list[TopicState]) -> None:
    for state in states:
        if state.partitions not in (0, kafka.partitions):
            raise ConfigurationError(
                f"kafka.partitions: {kafka.partitions} is configured, but topic {state.name} has "
                f"{state.partitions}; set kafka.partitions: {state.partitions}, or use another kafka.topic_prefix "
                "(a user's partition cannot move)"
            )


def _create(admin: AdminClient, kafka: KafkaSettings, missing: list[TopicState]) -> list[str]:
    if not missing:
        return []
    new = [NewTopic(s.name, kafka.partitions, kafka.replication_factor, config=s.wanted) for s in missing]
    done = []
    for name, future in admin.create_topics(new, operation_timeout=_CREATE_S, request_timeout=_CREATE_S).items():
        try:
            future.result(_CREATE_WAIT_S)
            done.append(
                f"{name}: created with {kafka.partitions} partitions, replication factor {kafka.replication_factor}"
            )
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            remedy = (
                "set kafka.replication_factor to at most the number of brokers"
                if code == KafkaError.INVALID_REPLICATION_FACTOR
                else "see that the brokers are healthy and that this user may create topics"
            )
            raise SegwireError(f"topic {name} cannot be created: {error.args[0].str()}; {remedy}") from None
    return done


def _read_settings(admin: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    result: dict[str, dict[str, str]] = {}
    for resource, future in admin.describe_configs(resources).items():
        entries: dict[str, Any] = future.result(_TIMEOUT_S)
        result[resource.name] = {key: str(entry.value) for key, entry in entries.items()}
    return result


def _alter(admin: AdminClient, state: TopicState) -> None:
    entries = [
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in state.differing.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, state.name, incremental_configs=entries)
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(_TIMEOUT_S)
