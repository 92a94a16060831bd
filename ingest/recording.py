"""What is stored of a message: its bytes as they came, once they are known to be authentic and a message.

Compiled in the wheel, and so is all that a plain message meets on its way (ADR 23).
"""

from typing import Final, final

from ingest.authentication.authenticator import Authenticator
from ingest.client import Record
from ingest.problems import TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, Refusal
from ingest.request import Head, traceparent
from runtime.clock import Clock
from schemas import headers as record_headers
from schemas.content import TooLarge, UnknownEncoding, inflate
from schemas.headers import Headers
from schemas.post_check import check_post

_SOURCE: Final = record_headers.SOURCE
_RECEIVED_AT_MS: Final = record_headers.RECEIVED_AT_MS
_REQUEST_ID: Final = record_headers.REQUEST_ID
_CONTENT_TYPE: Final = record_headers.CONTENT_TYPE


@final
class Source:
    """One sending account, ready to be served."""

    __slots__ = ("authenticator", "described", "max_body_bytes", "name")

    def __init__(self, name: str, max_body_bytes: int, authenticator: Authenticator) -> None:
        """Its messages are of at most `max_body_bytes`, inflated too."""
        self.name = name
        self.max_body_bytes = max_body_bytes
        self.authenticator = authenticator
        self.described = (_SOURCE, name.encode())


@final
class Recorder:
    """Makes records of requests."""

    __slots__ = ("_clock", "_topic")

    def __init__(self, topic: str, clock: Clock) -> None:
        """Records are for `topic`."""
        self._topic = topic
        self._clock = clock

    def record(self, source: Source, headers: Head, body: bytes, request_id: str) -> Record:
        """Return what is stored of an authentic message.

        Raises:
            Refusal: it is not authentic, or not encoded in a way that is accepted.
            MalformedPost, BadEncoding: it is authentic, but no message.
        """
        source.authenticator.check(headers, body)
        encoding = headers.get(b"content-encoding")
        check_post(body if encoding is None else _inflate(body, encoding, source.max_body_bytes))
        return Record(self._topic, body, self.described(source, headers, request_id))

    def described(self, source: Source, headers: Head, request_id: str) -> Headers:
        """Return the headers of a record."""
        described: Headers = [
            source.described,
            (_RECEIVED_AT_MS, b"%d" % self._clock.now_ms()),
            (_REQUEST_ID, request_id.encode()),
            (_CONTENT_TYPE, headers[b"content-type"]),
        ]
        encoding = headers.get(b"content-encoding")
        if encoding is not None:
            described.append((record_headers.CONTENT_ENCODING, encoding))
        trace = traceparent(headers)
        if trace is not None:
            described.append((record_headers.TRACEPARENT, trace))
        return described


def _inflate(body: bytes, encoding: bytes, max_body_bytes: int) -> bytes:
    try:
        return inflate(body, encoding.decode("latin-1"), max_body_bytes)
    except UnknownEncoding as error:
        # RFC 9110, section 12.5.3: the answer says what would be accepted.
        raise Refusal(UNSUPPORTED_MEDIA_TYPE, str(error), headers=[(b"accept-encoding", b"gzip")]) from None
    except TooLarge as error:
        raise Refusal(TOO_LARGE, f"{error}, or raise the source's max_body_bytes") from None
