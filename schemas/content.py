"""Content codings of a body: what was sent, inflated under a limit.

Source: wire format, *Transport*; RFC 9110, section 8.4; RFC 1952.
"""

import zlib

_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_WBITS = 31
# Each member's end copies the rest of the input: a body of empty members alone would cost its size squared.
_MEMBERS_MAX = 64


class BadEncoding(ValueError):  # noqa: N818 - named for what it tells
    """The body is not what its `Content-Encoding` says."""


class UnknownEncoding(BadEncoding):
    """The `Content-Encoding` is none that is accepted."""


class TooLarge(ValueError):  # noqa: N818 - likewise
    """The body is larger than the limit, as received or inflated."""

    def __init__(self, limit_bytes: int) -> None:
        """Name the limit."""
        super().__init__(f"the body is larger than {limit_bytes} bytes once inflated: send fewer users per message")
        self.limit_bytes = limit_bytes


def inflate(body: bytes, encoding: str | None, limit_bytes: int) -> bytes:
    """Return the content of `body`; never holds more than `limit_bytes` of it.

    `encoding` is the `Content-Encoding` header: None, empty, `identity` or `gzip`, in any case. A gzip body may have
    several members, and nothing after the last.

    Raises:
        UnknownEncoding: another content coding, or several.
        BadEncoding: the bytes do not inflate.
        TooLarge: there are more than `limit_bytes`.
    """
    coding = (encoding or "").strip().lower()
    if coding in _GZIP:
        return _gunzip(body, limit_bytes)
    if coding not in {"", "identity"}:
        raise UnknownEncoding(f"Content-Encoding {coding[:80]!r} is not accepted: send gzip or none")
    if len(body) > limit_bytes:
        raise TooLarge(limit_bytes)
    return body


def _gunzip(body: bytes, limit_bytes: int) -> bytes:
    content = b""
    rest = body
    for _ in range(_MEMBERS_MAX):
        member = zlib.decompressobj(_GZIP_WBITS)
        try:
            content += member.decompress(rest, limit_bytes - len(content) + 1)
        except zlib.error as error:
            raise BadEncoding(f"the body is said to be gzip but does not inflate: {error}") from error
        if len(content) > limit_bytes:
            raise TooLarge(limit_bytes)
        if not member.eof:
            raise BadEncoding("the body is said to be gzip but ends too early")
        rest = member.unused_data
        if not rest:
            return content
    raise BadEncoding(f"the gzip body has more than {_MEMBERS_MAX} members: send one")
