"""Plays the samples against a running ingest."""

import http.client
import ssl
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from runtime.errors import SegwireError
from segwire.up.demo.samples import moved, samples

Post = Callable[[str], None]
_TIMEOUT_S = 10.0


def play(post: Post, now_ms: int, settle: Callable[[], None]) -> None:
    """Post one sample as it is, which expires on arrival, then all five as of now.

    `settle` waits until the first was processed: one that is older than what is known changes nothing.
    """
    published = samples()
    post(published[-1])
    settle()
    for sample in published:
        post(moved(sample, now_ms))


def poster(ingest_url: str, source: str, tls: ssl.SSLContext | None = None) -> Post:
    """Return what posts a message to a source of an ingest; over https `tls` says whom to trust."""
    address = urlsplit(ingest_url)
    host = address.hostname or ""
    path = f"/v1/aam/{quote(source, safe='')}"

    def post(body: str) -> None:
        connection: http.client.HTTPConnection
        if address.scheme == "https":
            connection = http.client.HTTPSConnection(host, address.port, timeout=_TIMEOUT_S, context=tls)
        else:
            connection = http.client.HTTPConnection(host, address.port, timeout=_TIMEOUT_S)
        try:
            connection.request("POST", path, body.encode(), {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise SegwireError(f"--demo: {ingest_url}{path} does not answer ({error}); see the log of ingest") from None
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise SegwireError(f"--demo: {ingest_url}{path} answered {response.status}: {text}")

    return post
