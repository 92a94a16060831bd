"""The client of a destination against a real HTTP server of ours: what it sends, and what it makes of every answer."""

import base64
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from runtime.clock import SystemClock
from runtime.destination_settings import DestinationSettings
from runtime.errors import ConfigurationError
from sinks.outbound.partner import Partner
from sinks.outbound.signing import signature
from sinks.outbound.transport import Resolve, resolve
from sinks.outbound.verdict import Answer, verdict
from tests.support.certificates import Mounted
from tests.support.kafka import wait_until
from tests.support.loop import Clock
from tests.support.outbound import USER
from tests.support.posts import body, user
from tests.support.receiver import Behaviour, Receiver, Reply, Request

BODY = body(user(USER))
Build = Callable[..., Partner]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def build() -> Iterator[Build]:
    """Make partners, and end what they use."""
    with ExitStack() as cleanup:

        def make(url: str, resolver: Resolve = resolve, clock: Any = None, **fields: Any) -> Partner:
            given = {"client_id": "c", "destination_id": "d", "allow_plain_http": True, "segments": {"1": {}}, **fields}
            section = DestinationSettings.model_validate({"url": url, **given})
            return Partner("p", section, clock or SystemClock(), cleanup, resolver)

        yield make


def send(partner: Partner, content: bytes = BODY) -> Answer:
    answer: Answer = partner.run(partner.client.send(content))
    return answer


def always(*addresses: str) -> Resolve:
    async def find(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return find


def replying(*replies: Reply) -> Behaviour:
    """Return a behaviour that gives these replies in turn, then 200."""
    left = list(replies)
    return lambda _: left.pop(0) if left else Reply()


# -- exchanges --------------------------------------------------------------------------------------------------------


def test_messages_go_over_one_connection_that_is_kept(receiver: Receiver, build: Build) -> None:
    partner = build(receiver.url)
    assert [verdict(send(partner)) for _ in range(5)] == ["delivered"] * 5
    (request, *_) = receiver.requests
    assert (request.body, receiver.connections) == (BODY, 1)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == urlsplit(receiver.url).netloc


@pytest.mark.parametrize(
    ("reply", "error"),
    [(Reply(500), "status-500"), (Reply(201), "status-201"), (Reply(fault="close-mid-body"), "broken-answer"),
     (Reply(fault="drop"), "broken-answer"), (Reply(fault="hang"), "timeout"), (Reply(after_s=1), "timeout"),
     (Reply(body=b"x" * 20, fault="drip"), "timeout")],
)  # fmt: skip
def test_whatever_is_not_a_whole_200_in_time_is_a_failure(
    receiver: Receiver, build: Build, reply: Reply, error: str
) -> None:
    receiver.behaviour = replying(reply)
    partner = build(receiver.url, timeout_ms=400)
    began_s = time.monotonic()
    answer = send(partner)
    assert (answer.error, verdict(answer)) == (error, "failed")
    assert time.monotonic() - began_s < 2
    assert verdict(send(partner)) == "delivered"


def test_an_answer_without_end_is_cut_off_where_it_says_nothing_more(receiver: Receiver, build: Build) -> None:
    receiver.behaviour = replying(Reply(body=b"x" * (8 << 20)))
    assert verdict(send(build(receiver.url))) == "delivered"


def test_a_redirect_is_a_failure_and_is_not_followed(receiver: Receiver, build: Build) -> None:
    receiver.behaviour = replying(Reply(307, headers=(f"Location: {receiver.url}2",)))
    assert send(build(receiver.url)).error == "status-307"
    assert len(receiver.requests) == 1


def test_a_partner_tells_how_long_it_wants_to_be_left_alone(receiver: Receiver, build: Build) -> None:
    receiver.behaviour = replying(Reply(503, headers=("Retry-After: 7",)), Reply(503))
    partner = build(receiver.url)
    assert [send(partner).asked_wait_s for _ in range(2)] == [7.0, None]


def test_nobody_at_the_address_is_said_so(receiver: Receiver, build: Build) -> None:
    receiver.go_away()
    assert send(build(receiver.url)).error == "unreachable"


def test_a_connection_that_the_partner_has_closed_meanwhile_is_replaced(receiver: Receiver, build: Build) -> None:
    partner = build(receiver.url)
    send(partner)
    receiver.go_away()
    receiver.come_back()
    assert verdict(send(partner)) == "delivered"


# -- signatures and tokens --------------------------------------------------------------------------------------------


def signed(secret_file: Path, algorithm: str = "sha1") -> dict[str, Any]:
    return {"auth": {"hmac": {"algorithm": algorithm, "keys": [{"secret_file": str(secret_file)}]}}}


def test_a_signature_is_of_exactly_the_bytes_that_arrive(receiver: Receiver, build: Build, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sample_partner_private_key\n")
    send(build(receiver.url, **signed(key)), BODY)
    (request,) = receiver.requests
    assert request.headers["x-signature"] == signature(b"sample_partner_private_key", "sha1", request.body)


def test_a_key_file_that_is_replaced_signs_without_a_restart(receiver: Receiver, build: Build, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"old")
    partner = build(receiver.url, **signed(key, "sha256"))
    send(partner)
    fresh = tmp_path / "fresh"
    fresh.write_bytes(b"new")
    os.utime(fresh, (1, 1))
    fresh.replace(key)

    def signs_anew() -> bool:
        send(partner)
        return receiver.requests[-1].headers["x-signature"] == signature(b"new", "sha256", BODY)

    assert receiver.requests[0].headers["x-signature"] == signature(b"old", "sha256", BODY)
    wait_until(signs_anew, "the new key signs")


def test_a_missing_key_stops_the_start(build: Build, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"destinations\.p\.auth\.hmac\.keys\[0\]\.secret_file"):
        build("https://partner.example/", **signed(tmp_path / "none"))


class TokenServer:
    """A strict token endpoint beside the one for messages: whoever asks wrongly, or has an old token, is refused."""

    def __init__(self, receiver: Receiver, *, expires_in: str = "") -> None:
        self.receiver = receiver
        self.issued: list[str] = []
        self.revoked: set[str] = set()
        self.expires_in = expires_in
        receiver.behaviour = self.behave

    def behave(self, request: Request) -> Reply:
        if request.path == "/token":
            return self.issue(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return Reply(200 if token in self.issued and token not in self.revoked else 401)

    def issue(self, request: Request) -> Reply:
        basic = "Basic " + base64.b64encode(b"us:hush").decode()
        form = "application/x-www-form-urlencoded"
        given = (request.headers.get("authorization"), request.headers.get("content-type"), request.body)
        if given != (basic, form, b"grant_type=client_credentials"):
            return Reply(401)
        self.issued.append(f"token-{len(self.issued)}")
        more = f', "expires_in": {self.expires_in}' if self.expires_in else ""
        return Reply(body=f'{{"token_type": "Bearer", "access_token": "{self.issued[-1]}"{more}}}'.encode())

    @property
    def settings(self) -> dict[str, Any]:
        url = self.receiver.url.replace("/segments", "/token")
        return {"auth": {"oauth2": {"token_url": url, "id": "us", "secret": "hush"}}}


def test_one_token_serves_until_it_is_refused_and_is_then_replaced_within_the_attempt(
    receiver: Receiver, build: Build
) -> None:
    server = TokenServer(receiver)
    partner = build(receiver.url, **server.settings)
    assert [verdict(send(partner)) for _ in range(3)] == ["delivered"] * 3
    assert server.issued == ["token-0"]
    server.revoked.add("token-0")
    assert verdict(send(partner)) == "delivered"
    assert server.issued == ["token-0", "token-1"]


def test_a_partner_that_refuses_every_token_is_asked_for_one_more_and_no_other(
    receiver: Receiver, build: Build
) -> None:
    server = TokenServer(receiver)
    partner = build(receiver.url, **server.settings)
    server.revoked |= {f"token-{number}" for number in range(9)}
    assert send(partner).error == "status-401"
    assert (len(server.issued), len(receiver.messages())) == (2, 2)


def test_a_token_that_ends_is_replaced_before_it_is_refused(receiver: Receiver, build: Build) -> None:
    clock = Clock()
    server = TokenServer(receiver, expires_in="3600")
    partner = build(receiver.url, clock=clock, **server.settings)
    send(partner)
    clock.at_s += 3550
    send(partner)
    assert (server.issued, len(receiver.messages())) == (["token-0", "token-1"], 2)


@pytest.mark.parametrize("reply", [Reply(500), Reply(body=b"<html>"), Reply(body=b"{}"), Reply(fault="hang")])
def test_without_a_token_nothing_is_sent(receiver: Receiver, build: Build, reply: Reply) -> None:
    server = TokenServer(receiver)
    receiver.behaviour = lambda _: reply
    answer = send(build(receiver.url, timeout_ms=300, **server.settings))
    assert (answer.error, receiver.messages()) == ("timeout" if reply.fault == "hang" else "no-credential", [])
    assert "hush" not in answer.reason


# -- where it goes ----------------------------------------------------------------------------------------------------


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Receiver, Mounted]]:
    """A receiver with a certificate for localhost, of a CA of its own."""
    files = Mounted(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert_file, files.key_file)
    made = Receiver(context)
    yield made, files
    made.close()


def test_a_certificate_is_checked_against_the_configured_ca_and_the_name(
    secure: tuple[Receiver, Mounted], build: Build, tmp_path: Path
) -> None:
    receiver, files = secure
    other = tmp_path / "other.crt"
    trustme.CA().cert_pem.write_to_path(other)
    there = {"allow_private_addresses": True, "resolver": always("127.0.0.1")}
    named = f"https://localhost:{receiver.port}/segments"
    assert verdict(send(build(named, ca_file=str(files.ca_file), **there))) == "delivered"
    assert receiver.requests[0].headers["host"] == f"localhost:{receiver.port}"
    assert send(build(named, ca_file=str(other), **there)).error == "bad-certificate"
    assert send(build(named, **there)).error == "bad-certificate"
    elsewhere = f"https://partner.example:{receiver.port}/segments"
    assert send(build(elsewhere, ca_file=str(files.ca_file), **there)).error == "bad-certificate"
    assert len(receiver.requests) == 1


def test_a_ca_file_that_cannot_be_read_stops_the_start(build: Build, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for path in (tmp_path / "none", empty):
        with pytest.raises(ConfigurationError, match=r"destinations\.p\.ca_file"):
            build("https://partner.example/", ca_file=str(path))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "0x7f.1", "2130706433"])
def test_nothing_is_sent_inside_unless_that_is_allowed(receiver: Receiver, build: Build, host: str) -> None:
    answer = send(build(f"https://{host}:{receiver.port}/segments"))
    assert (answer.error, receiver.connections) == ("forbidden-address", 0)
    assert "allow_private_addresses" in answer.reason


def test_a_name_that_leads_inside_after_it_was_checked_is_refused(build: Build) -> None:
    """DNS rebinding: the first answer is public, the next leads to what listens here."""
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0.2)
        answers = [["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]]
        asked: list[str] = []

        async def rebinding(host: str, _port: int) -> Sequence[str]:
            asked.append(host)
            return answers[min(len(asked), len(answers)) - 1]

        clock = Clock()
        url = f"https://partner.example:{inside.getsockname()[1]}/"
        partner = build(url, resolver=rebinding, clock=clock, timeout_ms=300)
        # Whether or not the public address can be reached from here: it is the one that is tried.
        assert send(partner).error in {"unreachable", "timeout", "bad-certificate"}
        clock.at_s += 31
        assert send(partner).error == "forbidden-address"
        with pytest.raises(TimeoutError):
            inside.accept()
    assert len(asked) == 2


def test_the_connection_goes_to_the_address_that_was_checked_under_the_name_that_was_meant(
    build: Build,
) -> None:
    seen: list[str | None] = []
    listening = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _socket, name, _context: seen.append(name)

    def accept() -> None:
        connection, _ = listening.accept()
        with connection, pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(connection, server_side=True)

    thread = threading.Thread(target=accept)
    thread.start()
    url = f"https://partner.invalid:{listening.getsockname()[1]}/"
    send(build(url, resolver=always("127.0.0.1"), allow_private_addresses=True))
    thread.join()
    listening.close()
    assert seen == ["partner.invalid"]


def test_the_next_address_is_tried_where_nobody_is_at_the_first(receiver: Receiver, build: Build) -> None:
    url = f"http://localhost:{receiver.port}/segments"
    assert verdict(send(build(url, resolver=always("127.0.0.2", "127.0.0.1")))) == "delivered"
