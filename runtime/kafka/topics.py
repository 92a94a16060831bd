"""Creates the topics of the manifest, and tells how those of a cluster differ from it."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from runtime.errors import ConfigurationError, SegwireError
from runtime.kafka.asking import passes
from runtime.kafka.clients import admin_client, require_brokers
from runtime.settings import KafkaSettings
from schemas.topics import TOPICS, Topic

_TIMEOUT_S = 30.0
# A busy cluster may take long to make topics, and there is nothing to be done without them.
_CREATE_S = 120.0
# A controller that moved is not looked for again until then: librdkafka waits for the one it knew.
_TRY_S = 15.0


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
    """Create topics, again and again while the answer is only late; one that is there by then was ours."""
    created: list[str] = []
    deadline_s, tried = time.monotonic() + _CREATE_S, False
    while missing:
        left_s = deadline_s - time.monotonic()
        late = []
        for state, future in _ask_for(admin, kafka, missing, min(_TRY_S, max(left_s, 1.0))):
            error = _refusal(future)
            if error is None or (tried and error.code() == KafkaError.TOPIC_ALREADY_EXISTS):
                created.append(state.name)
            elif passes(error) and left_s > _TRY_S:
                late.append(state)
            elif error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise SegwireError(f"topic {state.name} cannot be created: {error.str()}; {_remedy(error)}")
        missing, tried = late, True
        if late:
            with suppress(KafkaException):  # the brokers tell who their controller is
                admin.list_topics(timeout=_TRY_S)
    return [
        f"{name}: created with {kafka.partitions} partitions, replication factor {kafka.replication_factor}"
        for name in created
    ]


def _ask_for(
    admin: AdminClient, kafka: KafkaSettings, states: list[TopicState], limit_s: float
) -> list[tuple[TopicState, Future[None]]]:
    new = [NewTopic(s.name, kafka.partitions, kafka.replication_factor, config=s.wanted) for s in states]
    futures = admin.create_topics(new, operation_timeout=limit_s, request_timeout=limit_s)
    return [(state, futures[state.name]) for state in states]


def _refusal(future: Future[None]) -> KafkaError | None:
    try:
        # The client's own error comes first: it says more than that nothing came.
        future.result(_CREATE_S)
    except KafkaException as error:
        refused: KafkaError = error.args[0]
        return refused
    return None


def _remedy(error: KafkaError) -> str:
    if error.code() == KafkaError.INVALID_REPLICATION_FACTOR:
        return "set kafka.replication_factor to at most the number of brokers"
    return "see that the brokers are healthy and that this user may create topics"


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
