import gzip
import tracemalloc
import zlib

import pytest

from schemas.content import BadEncoding, TooLarge, UnknownEncoding, inflate

CONTENT = b'{"Users": []}' * 50


@pytest.mark.parametrize("encoding", [None, "", "identity", " Identity "])
def test_plain_body_is_returned_as_it_is(encoding: str | None) -> None:
    assert inflate(CONTENT, encoding, len(CONTENT)) == CONTENT


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " gzip ", "x-gzip"])
def test_gzip_is_inflated(encoding: str) -> None:
    assert inflate(gzip.compress(CONTENT), encoding, len(CONTENT)) == CONTENT


def test_several_members_are_one_content() -> None:
    assert inflate(gzip.compress(b"a") + gzip.compress(b"") + gzip.compress(b"b"), "gzip", 2) == b"ab"


def test_empty_content_is_content() -> None:
    assert inflate(gzip.compress(b""), "gzip", 0) == b""


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_one_byte_over_the_limit_is_too_large(encoding: str | None) -> None:
    body = CONTENT if encoding is None else gzip.compress(CONTENT)
    with pytest.raises(TooLarge) as refusal:
        inflate(body, encoding, len(CONTENT) - 1)
    assert refusal.value.limit_bytes == len(CONTENT) - 1


def test_limit_holds_over_all_members() -> None:
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"aa") * 3, "gzip", 5)


def test_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            inflate(bomb, "gzip", 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        CONTENT,
        zlib.compress(CONTENT),
        gzip.compress(CONTENT, mtime=0)[:-1],
        gzip.compress(CONTENT, mtime=0)[:5],
        gzip.compress(CONTENT, mtime=0) + b"x",
        gzip.compress(CONTENT, mtime=0) + b"\0",
        gzip.compress(CONTENT, mtime=0)[:-8] + bytes(8),
        gzip.compress(b"", mtime=0) * 65,
    ],
)
def test_what_is_not_gzip_to_the_last_byte_is_refused(body: bytes) -> None:
    with pytest.raises(BadEncoding):
        inflate(body, "gzip", 10_000)


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "x" * 1000])
def test_other_codings_are_unknown(encoding: str) -> None:
    with pytest.raises(UnknownEncoding, match="send gzip or none") as refusal:
        inflate(CONTENT, encoding, 10_000)
    assert len(str(refusal.value)) < 200
