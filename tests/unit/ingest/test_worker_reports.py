import pytest
from prometheus_client import CollectorRegistry, generate_latest

from ingest import worker_reports
from ingest.worker_reports import WorkerMetrics, not_ready
from runtime.service import StopSignal

READY = b'{"status":"ready"}'


class FakeWorker:
    def __init__(self, number: int, answers: dict[str, bytes] | None) -> None:
        self.number = number
        self.answers = answers

    def urls(self) -> dict[str, str] | None:
        return None if self.answers is None else {}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_reports, "ask", lambda worker, path: (worker.answers or {}).get(path))


def test_ready_is_when_all_that_serve_are_and_one_does() -> None:
    def reason(*answers: bytes | None) -> str | None:
        crew = [FakeWorker(n, None if answer is None else {"/readyz": answer}) for n, answer in enumerate(answers)]
        return not_ready(crew, StopSignal())

    assert reason(READY, READY) is None
    assert reason(READY, None) is None
    assert reason(None, None) == "starting: no worker serves yet"
    assert reason(READY, b'{"status":"not ready","reason":"full"}') == "worker 1: full"
    assert not_ready([FakeWorker(0, {})], StopSignal()) == "worker 0 does not answer"


def test_a_stop_is_a_drain() -> None:
    stop = StopSignal()
    stop.set()
    assert "draining" in (not_ready([FakeWorker(0, {"/readyz": READY})], stop) or "")


def test_the_metrics_of_all_workers_are_one_exposition() -> None:
    expositions = [
        f'# HELP answers_total Answers.\n# TYPE answers_total counter\nanswers_total{{source="dev"}} {n}\n'.encode()
        for n in (3, 4)
    ]
    crew = [FakeWorker(n, {"/metrics": text}) for n, text in enumerate(expositions)]
    registry = CollectorRegistry()
    registry.register(WorkerMetrics([*crew, FakeWorker(2, None)]))
    exposition = generate_latest(registry).decode()
    assert exposition.count("# TYPE answers_total counter") == 1
    assert 'answers_total{source="dev",worker="0"} 3.0' in exposition
    assert 'answers_total{source="dev",worker="1"} 4.0' in exposition
