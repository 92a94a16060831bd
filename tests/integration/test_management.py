"""The management port over a real socket."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from runtime.errors import SegwireError
from runtime.management import ManagementServer

HOST = "127.0.0.1"


class Readiness:
    reason: str | None = "restoring"

    def __call__(self) -> str | None:
        return self.reason


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
def server(readiness: Readiness) -> Iterator[ManagementServer]:
    started = ManagementServer(HOST, 0, readiness)
    started.start()
    yield started
    started.stop()


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_probes_follow_the_service(server: ManagementServer, readiness: Readiness) -> None:
    assert _get(f"{server.url}/livez")[0] == 200
    assert _get(f"{server.url}/readyz") == (503, '{"status": "not ready", "reason": "restoring"}')
    readiness.reason = None
    assert _get(f"{server.url}/readyz?verbose") == (200, '{"status": "ready"}')
    assert "# HELP segwire_processor_records_total" in _get(f"{server.url}/metrics")[1]
    assert _get(f"{server.url}/nowhere")[0] == 404


def test_a_port_that_is_taken_is_refused_at_once(server: ManagementServer) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(SegwireError, match=f"management port {HOST}:{port} cannot be opened"):
        ManagementServer(HOST, port, lambda: None)
