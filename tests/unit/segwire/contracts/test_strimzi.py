"""The topics as Strimzi resources."""

import re

import pytest
import yaml

from runtime.settings import KafkaSettings
from schemas.topics import TOPICS
from segwire.contracts.strimzi import render_strimzi, resource_name


def test_every_topic_is_a_resource_of_the_cluster() -> None:
    kafka = KafkaSettings(topic_prefix="EU_", partitions=24, replication_factor=3)
    resources = list(yaml.safe_load_all(render_strimzi(kafka, "orders")))
    assert [resource["spec"]["topicName"] for resource in resources] == [f"EU_{topic.name}" for topic in TOPICS]
    for topic, resource in zip(TOPICS, resources, strict=True):
        assert resource["metadata"]["name"] == f"eu-{topic.name}"
        assert resource["metadata"]["labels"] == {"strimzi.io/cluster": "orders"}
        assert (resource["spec"]["partitions"], resource["spec"]["replicas"]) == (24, 3)
        assert resource["spec"]["config"] == topic.configuration()


@pytest.mark.parametrize("name", ["EU_aam-posts", "_x.aam-posts", "a..b-aam-posts"])
def test_names_of_resources_are_what_kubernetes_takes(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", resource_name(name))
