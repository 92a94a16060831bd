"""The header `traceparent`, read and written. Pure. Source: W3C Trace Context, section 3.2."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.headers import TRACEPARENT

FORM: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED = 1
_HEXADECIMAL = 16


class TraceContext(NamedTuple):
    """One span of one trace, by its IDs in lower-case hexadecimal digits."""

    trace_id: str
    span_id: str
    flags: int = _SAMPLED

    @property
    def sampled(self) -> bool:
        """Whether the trace is being recorded."""
        return bool(self.flags & _SAMPLED)

    def header(self) -> bytes:
        """Return the value of the header."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}".encode()


def parse_traceparent(value: bytes | str | None) -> TraceContext | None:
    """Read the value of the header; None where it is absent or invalid."""
    if value is None:
        return None
    match = FORM.fullmatch(value.encode("utf-8", "replace") if isinstance(value, str) else value)
    if match is None:
        return None
    trace_id, span_id, flags = match.groups()
    return TraceContext(trace_id.decode(), span_id.decode(), int(flags, _HEXADECIMAL))


def context_of(headers: Sequence[tuple[str, bytes | str | None]] | None) -> TraceContext | None:
    """Return the context that a record's headers name, None where they name none."""
    for name, value in headers or ():
        if name == TRACEPARENT:
            return parse_traceparent(value)
    return None


def carrying(headers: Sequence[tuple[str, bytes]] | None, context: TraceContext) -> list[tuple[str, bytes]]:
    """Return the headers with `context` in the place of another, else at the end."""
    mine = (TRACEPARENT, context.header())
    carried = [mine if header[0] == TRACEPARENT else header for header in headers or ()]
    return carried if mine in carried else [*carried, mine]
