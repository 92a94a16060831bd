import pytest

from ingest.plain import Shapes

HEAD = (
    b"POST /v1/aam/dev HTTP/1.1", b"Host: x", b"Content-Type: application/json", b"X-Signature: a+/=",
    b"User-Agent: a (b; c) d", b"Content-Length: 2",
)  # fmt: skip
LIMIT_BYTES = 1000


def message(*lines: bytes, body: bytes = b"{}") -> bytes:
    return b"\r\n".join([*lines, b"", body])


def with_line(number: int, *lines: bytes) -> bytes:
    return message(*HEAD[:number], *lines, *HEAD[number + 1 :])


def shapes() -> Shapes[str]:
    return Shapes({b"/v1/aam/dev": "dev"})


def test_a_message_of_the_same_shape_is_read_with_its_own_values() -> None:
    shape = shapes().of(message(*HEAD))
    assert shape is not None
    assert (shape.to, shape.target) == ("dev", b"/v1/aam/dev")
    other = message(*HEAD[:3], b"X-Signature: other", b"User-Agent: e", b"Content-Length: 3", body=b"[1]")
    read = shape.read(other, LIMIT_BYTES)
    assert read == (
        {
            b"host": b"x", b"content-type": b"application/json", b"x-signature": b"other", b"user-agent": b"e",
            b"content-length": b"3",
        },
        b"[1]",
    )  # fmt: skip


def test_shapes_are_made_once() -> None:
    seen = shapes()
    assert seen.of(message(*HEAD)) is seen.of(message(*HEAD, body=b"other"))


OTHERS = {
    "a piece": message(*HEAD)[:-1],
    "more than one": message(*HEAD) * 2,
    "a head alone": message(*HEAD, body=b""),
    "another target": with_line(0, b"POST /v1/aam/other HTTP/1.1"),
    "another method": with_line(0, b"PUT /v1/aam/dev HTTP/1.1"),
    "another version": with_line(0, b"POST /v1/aam/dev HTTP/1.0"),
    "another header": with_line(1, b"Host: x", b"Expect: 100-continue"),
    "one header less": with_line(4),
    "a header twice": with_line(1, b"Host: x", b"Host: x"),
    "another order": message(HEAD[0], *reversed(HEAD[1:])),
    "another spelling": with_line(1, b"host: x"),
    "no space": with_line(1, b"Host:x"),
    "a space before the colon": with_line(1, b"Host : x"),
    "more space": with_line(1, b"Host:  x"),
    "a space at the end": with_line(1, b"Host: x "),
    "an empty value": with_line(1, b"Host: "),
    "a tab": with_line(1, b"Host: x\ty"),
    "a control character": with_line(1, b"Host: x\x00"),
    "a byte that is no ASCII": with_line(1, b"Host: \xe4"),
    "a line alone": with_line(1, b"Host: x\nExpect: 100-continue"),
    "a return alone": with_line(1, b"Host: x\rExpect: 100-continue"),
    "a folded line": with_line(1, b"Host: x\r\n y"),
    "a length with a sign": with_line(5, b"Content-Length: +2"),
    "a length in hexadecimals": with_line(5, b"Content-Length: 0x2"),
    "two lengths": with_line(5, b"Content-Length: 2, 2"),
    "another length": with_line(5, b"Content-Length: 1"),
    "an endless length": with_line(5, b"Content-Length: " + b"0" * 500 + b"2"),
    "an end before the end": b"\r\n" + message(*HEAD),
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS.keys())
def test_everything_else_is_left_to_the_parser(data: bytes) -> None:
    shape = shapes().of(message(*HEAD))
    assert shape is not None
    assert shape.read(data, LIMIT_BYTES) is None


def test_a_head_above_the_limit_is_left_to_the_parser() -> None:
    shape = shapes().of(message(*HEAD))
    assert shape is not None
    head_bytes = len(message(*HEAD)) - 2
    assert shape.read(message(*HEAD), head_bytes) is not None
    assert shape.read(message(*HEAD), head_bytes - 1) is None


def test_a_connection_that_is_kept_alive_is_nothing_special_and_one_that_closes_is() -> None:
    shape = shapes().of(with_line(4, b"Connection: keep-alive"))
    assert shape is not None
    assert shape.read(with_line(4, b"Connection: Keep-Alive"), LIMIT_BYTES) is not None
    for value in (b"close", b"keep-alive, close", b"Upgrade"):
        assert shape.read(with_line(4, b"Connection: " + value), LIMIT_BYTES) is None


SPECIAL = [b"Expect: 100-continue", b"Transfer-Encoding: chunked", b"Upgrade: h2c",
           b"HOST: x", b"X Y: z", b": z", b"no colon", b"Proxy-Connection: close"]  # fmt: skip


@pytest.mark.parametrize("line", SPECIAL)
def test_a_head_with_something_special_has_no_shape(line: bytes) -> None:
    assert shapes().of(with_line(4, line)) is None


@pytest.mark.parametrize("missing", [1, 2, 5])
def test_a_head_without_what_is_needed_has_no_shape(missing: int) -> None:
    assert shapes().of(with_line(missing)) is None


def test_only_so_many_shapes_are_kept() -> None:
    seen = shapes()
    made = [seen.of(with_line(4, b"X-%d: y" % number)) for number in range(300)]
    assert 1 <= sum(shape is not None for shape in made) <= 100
    assert seen.of(with_line(4, b"X-0: y")) is made[0]
