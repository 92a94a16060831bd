"""What the workers say of themselves, told as one: health and metrics over their own management ports."""

import http.client
import json
from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from runtime.service import StopSignal

_TIMEOUT_S = 1.0


class Reporting(Protocol):
    """A worker."""

    number: int

    def urls(self) -> dict[str, str] | None:
        """Return where it serves; None while it does not."""


def ask(worker: Reporting, path: str) -> bytes | None:
    """Ask a worker's management port; None where it does not answer. Blocks."""
    urls = worker.urls()
    if urls is None:
        return None
    connection = http.client.HTTPConnection(urlsplit(urls["ingest-management"]).netloc, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def not_ready(workers: Sequence[Reporting], stop: StopSignal) -> str | None:
    """Return why the port does not answer as it should, None where every worker that serves is ready, and one does."""
    if stop.is_set():
        return "draining: this process ends"
    answers = {worker.number: ask(worker, "/readyz") for worker in workers if worker.urls() is not None}
    if not answers:
        return "starting: no worker serves yet"
    for number, answer in answers.items():
        if answer is None:
            return f"worker {number} does not answer"
        reason = json.loads(answer).get("reason")
        if reason is not None:
            return f"worker {number}: {reason}"
    return None


class WorkerMetrics:
    """A collector of every worker's metrics, each sample with the label `worker`."""

    def __init__(self, workers: Sequence[Reporting]) -> None:
        """Ask `workers` at each exposition."""
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        """Ask them all."""
        families: dict[str, Metric] = {}
        for worker in self._workers:
            exposition = ask(worker, "/metrics")
            for family in text_string_to_metric_families((exposition or b"").decode()):
                merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    merged.add_sample(sample.name, {**sample.labels, "worker": str(worker.number)}, sample.value)
        yield from families.values()
