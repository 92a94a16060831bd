"""Asks every child how it is, from a thread, so that a child that hangs delays nothing else."""

import http.client
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from runtime.clock import Clock
from segwire.up.services import Service

_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Answer:
    """What a child said of itself at `asked_ms` (monotonic); `metrics` is its exposition, empty where it gave none."""

    asked_ms: int
    ready: bool
    reason: str
    metrics: str


class Monitor:
    """Keeps each child's latest answer."""

    def __init__(self, services: Sequence[Service], clock: Clock) -> None:
        """Ask nobody before `start`."""
        self._urls = {service.name: service.management_url for service in services if service.management_url}
        self._clock = clock
        self._answers: dict[str, Answer] = {}
        self._stopped = threading.Event()
        self._interval_s = 0.05
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def start(self) -> None:
        """Ask every child, often at first."""
        self._thread.start()

    def slow_down(self) -> None:
        """Ask each second: the start is over."""
        self._interval_s = 1.0

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_TIMEOUT_S * 2)

    def answers(self) -> Mapping[str, Answer]:
        """Return the latest answer of each child that was asked."""
        return dict(self._answers)

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            for name, url in self._urls.items():
                if self._stopped.is_set():
                    return
                self._answers[name] = ask(url, int(self._clock.monotonic_s() * 1000))


def ask(management_url: str, asked_ms: int) -> Answer:
    """Ask one child for its readiness and, where it is ready, for its metrics. Blocks up to some seconds."""
    address = urlsplit(management_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_S)
    try:
        status, body = _get(connection, "/readyz")
        ready = status == http.client.OK
        metrics = _get(connection, "/metrics")[1].decode() if ready else ""
        return Answer(asked_ms, ready, "" if ready else _reason(body), metrics)
    except ConnectionRefusedError:
        return Answer(asked_ms, False, "does not answer yet", "")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(asked_ms, False, f"does not answer ({str(error) or type(error).__name__})", "")
    finally:
        connection.close()


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    connection.request("GET", path, headers={"Connection": "close"})
    response = connection.getresponse()
    return response.status, response.read()


def _reason(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return "not ready"
    return str(document.get("reason") or "not ready") if isinstance(document, dict) else "not ready"
