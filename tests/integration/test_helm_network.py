"""What the chart's network policies let out."""

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


def test_collector_of_traces_is_reached_where_its_port_is_named() -> None:
    resources = render("values-large.yaml", "--set", "networkPolicy.collectorPorts={4318}")
    assert 4318 in ports_out(resources)
