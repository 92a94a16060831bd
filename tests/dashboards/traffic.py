"""Traffic that brings about whatever a dashboard shows, as far as minutes allow."""

import base64
import hashlib
import hmac
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from tests.support.posts import body, segment, user
from tests.support.stack import Up

CONFIGURATION_KEY = "a key that only this run knows"
OPEN, SIGNED, TOKEN = "dev", "signed", "token"
SEGMENT = "14356"
STANDSTILL_S = 8.0

_JSON = {"Content-Type": "application/json"}


def configuration(partner_url: str) -> dict[str, Any]:
    """Return a configuration with every kind of source, and a destination."""
    key = {"secret": CONFIGURATION_KEY}
    return {
        "ingest": {"limits": {"head_timeout_ms": 1000}},
        "membership": {"metrics_segments": [SEGMENT]},
        "sources": {
            OPEN: {"allow_unauthenticated": True},
            SIGNED: {"hmac": {"header": "X-Signature", "keys": [key]}},
            TOKEN: {"oauth2": {"clients": [{"id": "sender", **key}]}},
        },
        "destinations": {
            "partner": {
                "url": partner_url,
                "allow_plain_http": True,
                "client_id": "1",
                "destination_id": "2",
                "dpid": 12345,
                "segments": {SEGMENT: {}},
            }
        },
    }


def send_all(up: Up) -> None:
    """Send what is good and what is not, once."""
    url = up.urls["ingest"]
    enter, leave = _users("1"), _users("0")
    _post(url, OPEN, enter, {})
    _post(url, SIGNED, enter, _signature(enter))
    _post(url, SIGNED, enter, {"X-Signature": "wrong"})
    send_bad(up)
    _post(url, OPEN, body(user(DataPartner_UUID="00000000-0000-0000-0000-000000000000"), User_count="7"), {})
    basic = base64.b64encode(f"sender:{CONFIGURATION_KEY}".encode()).decode()
    form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
    _send(f"{url}/oauth2/token", form, {"Authorization": f"Basic {basic}"})
    _post(url, OPEN, leave, {})
    _go_away(url)
    _say_nothing(url)


def send_bad(up: Up) -> None:
    """Send a message that is none, and one with a user that is none."""
    _post(up.urls["ingest"], OPEN, b"no message", {})
    _post(up.urls["ingest"], OPEN, body(user("not-a-number", Segments="none")), {})


def simulate(up: Up, duration_s: int, rate: int, *more: str) -> "subprocess.Popen[bytes]":
    """Start a sender beside that; `more` options replace."""
    usual = ["--users", "300", "--batch-every", "0"]
    options = ["--rate", str(rate), "--duration", str(duration_s), *usual, *more]
    return subprocess.Popen(
        up.segwire.command("simulate", "--url", up.urls["ingest"], "--source", OPEN, *options),
        cwd=up.segwire.home,
        env=up.segwire.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def stop_kafka_for_a_while(up: Up, standstill_s: float = STANDSTILL_S) -> None:
    """Let Kafka stand still, so that messages go to the spool and are replayed."""
    kafka = up.child("kafka")
    kafka.suspend()
    try:
        time.sleep(standstill_s)  # the fault itself, not a wait for something
    finally:
        kafka.resume()


def _users(status: str) -> bytes:
    now = time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime())
    users = [
        user(str(10**36 + number), DataPartner_UUID=f"p{number}", Segments=[segment(SEGMENT, status, now)])
        for number in range(20)
    ]
    return body(*users, User_DPID="12345")


def _signature(content: bytes) -> dict[str, str]:
    digest = hmac.new(CONFIGURATION_KEY.encode(), content, hashlib.sha1).digest()
    return {"X-Signature": base64.b64encode(digest).decode()}


def _post(url: str, source: str, content: bytes, headers: Mapping[str, str]) -> None:
    _send(f"{url}/v1/aam/{source}", content, {**_JSON, **headers})


def _go_away(url: str) -> None:
    address = urllib.parse.urlsplit(url)
    head = f"POST /v1/aam/{OPEN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"{")


def _say_nothing(url: str) -> None:
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        while connection.recv(4096):  # until the endpoint has waited for long enough
            pass


def _send(url: str, content: bytes, headers: Mapping[str, str]) -> None:
    try:
        urllib.request.urlopen(urllib.request.Request(url, content, dict(headers)), timeout=10).close()
    except urllib.error.HTTPError as refused:
        refused.close()
