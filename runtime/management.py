"""The management port of every service: `/livez`, `/readyz`, `/metrics`."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from runtime.errors import SegwireError

NotReady = str | None
Answer = tuple[int, str, bytes]


class ManagementServer:
    """Answers from a thread of its own, so that a busy service is still seen to live.

    `ready` returns None where the service is ready, else why it is not. `refresh` runs before each exposition, for
    gauges that are cheaper to read when asked.
    """

    def __init__(
        self,
        host: str,
        port: int,
        ready: Callable[[], NotReady],
        refresh: Callable[[], None] = lambda: None,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        """Bind the port at once; `port` 0 takes a free one.

        Raises:
            SegwireError: the port is taken.
        """
        self._ready = ready
        self._refresh = refresh
        self._registry = registry
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            server_version = "segwire"
            sys_version = ""
            timeout = 10

            def do_GET(self) -> None:
                status, content_type, body = answer(urlsplit(self.path).path)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
                """Probes are not worth a line."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise port_taken("management port", host, port, error) from None
        self._server.daemon_threads = True
        self.url = f"http://{host}:{self._server.server_port}"

    def start(self) -> None:
        """Answer from now on."""
        threading.Thread(target=self._server.serve_forever, name="management", daemon=True).start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str) -> Answer:
        if path == "/livez":
            return 200, "application/json", b'{"status":"live"}'
        if path == "/readyz":
            reason = self._ready()
            body = {"status": "ready"} if reason is None else {"status": "not ready", "reason": reason}
            return (200 if reason is None else 503), "application/json", json.dumps(body).encode()
        if path == "/metrics":
            self._refresh()
            return 200, CONTENT_TYPE_LATEST, generate_latest(self._registry)
        return 404, "application/json", b'{"status":"not found","routes":["/livez","/readyz","/metrics"]}'


def port_taken(what: str, host: str, port: int, error: OSError) -> SegwireError:
    """Say that an address cannot be listened on, and what to do."""
    return SegwireError(
        f"{what} {host}:{port} cannot be opened ({error.strerror}); stop what uses it, choose another port, "
        "or --port 0 for free ones"
    )
