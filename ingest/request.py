"""What is read from a request: its head, its body, its identity. Nothing here knows where it goes."""

import os
import re
from typing import final

from starlette.types import Receive

from ingest.problems import METHOD_NOT_ALLOWED, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, Refusal

Head = dict[bytes, bytes]
JSON = b"application/json"

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class ClientDisconnected(Exception):  # noqa: N818 - no error of ours
    """The sender went away before its whole body arrived."""


@final
class RequestIds:
    """Names requests: as the sender did where that is a sane name, else uniquely."""

    def __init__(self) -> None:
        """Draw what makes this process's names its own."""
        self._prefix = os.urandom(6).hex()
        self._number = 0

    def of(self, headers: Head) -> str:
        """Return the request's name."""
        given = headers.get(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given.decode("ascii")
        self._number += 1
        return f"{self._prefix}-{self._number}"


def traceparent(headers: Head) -> bytes | None:
    """Return a valid trace context. Source: W3C Trace Context, section 3.2."""
    value = headers.get(b"traceparent")
    return value if value is not None and _TRACEPARENT.fullmatch(value) else None


def check_head(method: str, headers: Head, max_body_bytes: int) -> None:
    """See that a body is worth reading.

    Raises:
        Refusal: the method, the media type or the announced length is not accepted.
    """
    if method != "POST":
        raise Refusal(
            METHOD_NOT_ALLOWED, f"{method} is not allowed here: POST the message", headers=[(b"allow", b"POST")]
        )
    content_type = headers.get(b"content-type")
    # What nearly every sender says, compared whole: parsing is for the others.
    if content_type != JSON:
        _check_media_type(content_type)
    length = headers.get(b"content-length")
    if length is not None and int(length) > max_body_bytes:
        raise _too_large(f"The Content-Length is {int(length)} bytes", max_body_bytes, unread=True)


async def read_body(receive: Receive, max_body_bytes: int) -> bytes:
    """Read the whole body, or stop as soon as it is too large.

    Raises:
        Refusal: there are more than `max_body_bytes`; the rest is not read.
        ClientDisconnected: the sender went away.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        # In one piece: many small ones would take many times their size.
        gathered = bytearray(body)
        while message.get("more_body") and len(gathered) <= max_body_bytes:
            message = await receive()
            gathered += message.get("body", b"")
        body = bytes(gathered)
    if message["type"] == "http.disconnect":
        raise ClientDisconnected
    if len(body) > max_body_bytes:
        raise _too_large("The body has more bytes than allowed", max_body_bytes, unread=bool(message.get("more_body")))
    return body


def _too_large(what: str, max_body_bytes: int, *, unread: bool) -> Refusal:
    return Refusal(
        TOO_LARGE,
        f"{what}, this source accepts {max_body_bytes}: send fewer users per message, or raise its max_body_bytes",
        headers=[(b"connection", b"close")] if unread else [],
    )


def _check_media_type(content_type: bytes | None) -> None:
    if content_type is None:
        raise Refusal(UNSUPPORTED_MEDIA_TYPE, "There is no Content-Type: send Content-Type: application/json")
    text = content_type.decode("latin-1")
    media_type, *parameters = (part.strip() for part in text.lower().split(";"))
    if media_type != "application/json":
        raise Refusal(
            UNSUPPORTED_MEDIA_TYPE,
            f"Content-Type {text[:100]!r} is not accepted: send application/json",
            headers=[(b"accept", b"application/json")],
        )
    for parameter in parameters:
        name, _, value = (part.strip() for part in parameter.partition("="))
        if name == "charset" and value.strip('"') not in {"utf-8", "utf8"}:
            raise Refusal(UNSUPPORTED_MEDIA_TYPE, f"charset {value[:40]!r} is not accepted: send the message as UTF-8")
