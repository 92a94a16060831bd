"""The topics as Strimzi resources, for clusters whose topics are kept in Git. Source: Strimzi 1.x, `KafkaTopic` v1."""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from runtime.settings import KafkaSettings
from schemas.topics import TOPICS, Topic

API_VERSION = "kafka.strimzi.io/v1"


def render_strimzi(kafka: KafkaSettings, cluster: str, topics: Sequence[Topic] = TOPICS) -> str:
    """Render one `KafkaTopic` for each topic, for the Strimzi cluster named `cluster`."""
    return yaml.safe_dump_all((kafka_topic(topic, kafka, cluster) for topic in topics), sort_keys=False)


def kafka_topic(topic: Topic, kafka: KafkaSettings, cluster: str) -> dict[str, Any]:
    """Return the resource of one topic.

    Settings are given as text, as Kafka's own tools and `segwire topics describe` show them.
    """
    name = kafka.topic_prefix + topic.name
    return {
        "apiVersion": API_VERSION,
        "kind": "KafkaTopic",
        "metadata": {"name": resource_name(name), "labels": {"strimzi.io/cluster": cluster}},
        "spec": {
            "topicName": name,
            "partitions": kafka.partitions,
            "replicas": kafka.replication_factor,
            "config": topic.configuration(),
        },
    }


def resource_name(topic_name: str) -> str:
    """Return a name that Kubernetes takes: lower case, digits, dots and hyphens, neither first nor last."""
    return re.sub(r"[^a-z0-9.-]", "-", topic_name.lower()).strip(".-")
