import json

from prometheus_client import CollectorRegistry, Gauge

from runtime.management import ManagementServer, port_taken


def _server(reason: str | None = None) -> tuple[ManagementServer, Gauge]:
    """A server that answers without a socket, and the one metric that it shows; a refresh sets it to 42."""
    registry = CollectorRegistry()
    gauge = Gauge("held", "What is held.", registry=registry)
    server = object.__new__(ManagementServer)
    server._ready = lambda: reason
    server._refresh = lambda: gauge.set(42)
    server._registry = registry
    return server, gauge


def test_a_process_that_answers_is_live_whether_ready_or_not() -> None:
    server, _ = _server("restoring")
    assert server._answer("/livez") == (200, "application/json", b'{"status":"live"}')


def test_a_ready_service_says_so() -> None:
    server, _ = _server()
    status, _, body = server._answer("/readyz")
    assert (status, json.loads(body)) == (200, {"status": "ready"})


def test_a_service_that_is_not_ready_says_why() -> None:
    server, _ = _server("restoring state from the changelog")
    status, _, body = server._answer("/readyz")
    assert (status, json.loads(body)) == (
        503, {"status": "not ready", "reason": "restoring state from the changelog"},
    )  # fmt: skip


def test_gauges_are_refreshed_before_each_exposition() -> None:
    server, _ = _server()
    status, content_type, body = server._answer("/metrics")
    assert (status, b"held 42.0\n" in body) == (200, True)
    assert content_type.startswith("text/plain")


def test_another_path_names_the_routes() -> None:
    server, _ = _server()
    status, _, body = server._answer("/")
    assert (status, json.loads(body)["routes"]) == (404, ["/livez", "/readyz", "/metrics"])


def test_a_taken_port_says_which_and_what_to_do() -> None:
    error = port_taken("management port", "127.0.0.1", 8081, OSError(98, "Address already in use"))
    assert str(error) == (
        "management port 127.0.0.1:8081 cannot be opened (Address already in use); stop what uses it, "
        "choose another port, or --port 0 for free ones"
    )
