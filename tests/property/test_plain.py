"""What a shape takes, the parser reads in the same way: one message, the same headers, the same body."""

import httptools
from hypothesis import given
from hypothesis import strategies as st

from ingest.plain import Shapes

TARGET = b"/v1/aam/dev"
NAMES = (b"Host", b"Content-Type", b"X-Signature", b"User-Agent", b"Content-Length")
SEEN = b"\r\n".join([b"POST " + TARGET + b" HTTP/1.1", *(name + b": 1" for name in NAMES), b"", b"x"])

# Bytes that heads are made of, or broken with.
odd = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\0", b"\x7f", b"\xe4", b",", b"chunked", b"0", b"+", b"_"]
)
value = st.lists(st.one_of(st.sampled_from([b"a", b"application/json", b"b c", b"2", b""]), odd), max_size=4).map(
    b"".join
)
name = st.one_of(st.sampled_from([*NAMES, b"Transfer-Encoding", b"Connection", b"Content-Length "]), value)
separator = st.sampled_from([b": ", b": ", b": ", b":", b":  ", b" : ", b":\t"])
line = st.tuples(name, separator, value).map(b"".join)


class Heard:
    def __init__(self) -> None:
        self.messages: list[tuple[bytes, dict[bytes, bytes], bytes, bool]] = []
        self._url = self._body = b""
        self._headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert len(dict(self._headers)) == len(self._headers)
        self.messages.append((self._url, dict(self._headers), self._body, True))


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Draw the head that was seen with other values, and now and then something else in it."""
    lines = [header + b": " + draw(value) for header in NAMES[:-1]]
    body = draw(st.sampled_from([b"", b"x", b"xy", b"x\r\n\r\ny", b"GET / HTTP/1.1\r\n\r\n"]))
    length = draw(st.sampled_from([b"%d" % len(body)] * 4 + [b"0", b"%d " % len(body), b"+%d" % len(body), b"99"]))
    lines.append(b"Content-Length: " + length)
    for _ in range(draw(st.integers(0, 2))):
        lines.insert(draw(st.integers(0, len(lines))), draw(line))
    return b"\r\n".join([b"POST " + TARGET + b" HTTP/1.1", *lines, b"", body])


@given(heads())
def test_what_a_shape_takes_the_parser_reads_in_the_same_way(data: bytes) -> None:
    shape = Shapes({TARGET: ""}).of(SEEN)
    assert shape is not None
    read = shape.read(data, 16_384)
    if read is None:
        return
    heard = Heard()
    parser = httptools.HttpRequestParser(heard)
    parser.feed_data(data)
    assert heard.messages == [(TARGET, *read, True)]
    assert parser.should_keep_alive()
    assert not parser.should_upgrade()


@given(heads(), heads())
def test_a_shape_is_only_made_of_what_ends_as_its_length_says(seen: bytes, data: bytes) -> None:
    shape = Shapes({TARGET: ""}).of(seen)
    read = None if shape is None else shape.read(data, 16_384)
    if read is None:
        return
    heard = Heard()
    httptools.HttpRequestParser(heard).feed_data(data)
    assert heard.messages == [(TARGET, *read, True)]
