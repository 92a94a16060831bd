import pytest

from schemas.trace_context import TraceContext, carrying, context_of, parse_traceparent

VALUE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CONTEXT = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1)


def test_value_is_read_and_written_the_same() -> None:
    assert parse_traceparent(VALUE) == parse_traceparent(VALUE.decode()) == CONTEXT
    assert CONTEXT.header() == VALUE


@pytest.mark.parametrize(("flags", "sampled"), [(b"00", False), (b"01", True), (b"02", False), (b"03", True)])
def test_last_bit_of_the_flags_says_whether_it_is_sampled(flags: bytes, sampled: bool) -> None:
    found = parse_traceparent(VALUE[:-2] + flags)
    assert found is not None
    assert found.sampled is sampled


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"nonsense",
        VALUE.upper(),
        VALUE + b"-more",
        b"ff" + VALUE[2:],
        b"00-" + b"0" * 32 + VALUE[35:],
        VALUE[:36] + b"0" * 16 + b"-01",
        "00-ä",
    ],
)
def test_what_is_invalid_is_none(value: bytes | str | None) -> None:
    assert parse_traceparent(value) is None


def test_context_of_a_record_is_in_its_headers() -> None:
    assert context_of([("segwire-source", b"dev"), ("traceparent", VALUE)]) == CONTEXT
    assert context_of([("traceparent", None)]) is None
    assert context_of([]) is None
    assert context_of(None) is None


def test_another_context_takes_the_place_of_the_first() -> None:
    own = CONTEXT._replace(span_id="b" * 16)
    before = [("a", b"1"), ("traceparent", VALUE), ("z", b"2")]
    assert carrying(before, own) == [("a", b"1"), ("traceparent", own.header()), ("z", b"2")]
    assert before[1] == ("traceparent", VALUE)


def test_context_is_added_where_there_was_none() -> None:
    assert carrying([("a", b"1")], CONTEXT) == [("a", b"1"), ("traceparent", VALUE)]
    assert carrying(None, CONTEXT) == [("traceparent", VALUE)]
