"""The simulator's sending over real sockets, without the pipeline."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiohttp import web

from schemas.post_reading import parse_post
from segwire.simulator.sender import Authenticate, HttpSender, no_authentication

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """Serve one handler on a free port; yield its URL."""
    app = web.Application()
    app.router.add_post("/v1/aam/dev", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/aam/dev"
    finally:
        await runner.cleanup()


def answer_to(handler: Handler, authenticate: Authenticate = no_authentication) -> str:
    async def send() -> str:
        async with served(handler) as url, HttpSender(url, connections=2, authenticate=authenticate) as sender:
            return await sender.send(b'{"Users": []}')

    return asyncio.run(send())


@pytest.mark.parametrize("status", [200, 204, 302, 400, 503])
def test_the_status_is_reported_as_it_is(status: int) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/v1/aam/dev"})

    assert answer_to(handler) == str(status)


def test_the_request_is_what_the_wire_format_says() -> None:
    seen: list[tuple[str, str | None, bytes]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.content_type, request.headers.get("X-Signature"), await request.read()))
        return web.Response()

    answer_to(handler, authenticate=lambda body: {"X-Signature": str(len(body))})
    assert seen == [("application/json", "13", b'{"Users": []}')]


def test_a_connection_that_breaks_is_unreachable() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    assert answer_to(handler) == "unreachable"


def test_no_answer_within_the_due_time_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segwire.simulator.sender.ANSWER_DUE_S", 0.2)
    released = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    assert answer_to(handler) == "timeout"


def test_nobody_listening_is_unreachable() -> None:
    async def send() -> str:
        async with HttpSender("http://127.0.0.1:1/v1/aam/dev", connections=1) as sender:
            return await sender.send(b"{}")

    assert asyncio.run(send()) == "unreachable"


class Receiver(BaseHTTPRequestHandler):
    """Keeps every body; answers the first attempt of each with `first`, any further with `then`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    first = then = HTTPStatus.OK
    bodies: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.then if body in self.bodies else self.first
        self.bodies.append(body)
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 - http.server's
        return


@contextmanager
def receiver(first: HTTPStatus, then: HTTPStatus = HTTPStatus.OK) -> Iterator[tuple[str, list[bytes]]]:
    bodies: list[bytes] = []
    handler = type("Handler", (Receiver,), {"first": first, "then": then, "bodies": bodies})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", bodies
        finally:
            server.shutdown()
            thread.join()


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "segwire.cli.main", "simulate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_run_sends_readable_messages_and_reports(tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"
    with receiver(HTTPStatus.OK) as (url, bodies):
        done = simulate("--url", url, "--rate", "50", "--duration", "2", "--json", "--report", str(report_file))
    assert done.returncode == 0, done.stderr
    report = json.loads(report_file.read_text())
    assert json.loads(done.stdout) == report
    assert report["sent"] == report["acknowledged"] == len(bodies) == 100
    assert report["answers"] == {"200": 100}
    assert report["differences"] is None
    assert all(parse_post(body).users for body in bodies)


def test_a_refused_message_is_sent_once_more() -> None:
    with receiver(HTTPStatus.SERVICE_UNAVAILABLE) as (url, bodies):
        done = simulate("--url", url, "--rate", "50", "--duration", "2", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert report["answers"]["503"] == report["retried"] == len(set(bodies))
    assert (report["acknowledged"], report["failed"]) == (100, 0)


def test_a_receiver_that_acknowledges_nothing_is_named_with_its_answers() -> None:
    with receiver(HTTPStatus.NOT_FOUND, then=HTTPStatus.NOT_FOUND) as (url, _):
        done = simulate("--url", f"{url}/", "--rate", "20", "--duration", "0.5", "--source", "nobody")
    assert done.returncode == 1
    assert f"no message was acknowledged by {url}/v1/aam/nobody (answers: 404: 20)" in done.stderr


def test_nobody_at_the_url_is_one_clear_message() -> None:
    done = simulate("--url", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("segwire: --url: nobody answers at http://127.0.0.1:1")
