"""What the chart's network policies let out."""

import pytest

from tests.support.helm import Resource, of_kind, render


def ports_out(resources: list[Resource]) -> set[int]:
    """Return the ports that every pod may go to."""
    (policy,) = (
        each
        for each in of_kind(resources, "NetworkPolicy")
        if each["metadata"]["labels"]["app.kubernetes.io/component"] == "network"
    )
    return {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


def test_pods_reach_kafka_and_name_servers() -> None:
    assert ports_out(render("values-large.yaml")) == {9092, 9093, 9094, 53}


@pytest.mark.parametrize("what", ["registryPorts", "collectorPorts"])
def test_schema_registry_and_collector_of_traces_are_reached_where_their_ports_are_named(what: str) -> None:
    resources = render("values-large.yaml", "--set", f"networkPolicy.{what}={{4318}}")
    assert ports_out(resources) == {9092, 9093, 9094, 53, 4318}
