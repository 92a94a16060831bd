"""Dead letters in words."""

import base64
from collections.abc import Sequence

import msgspec

from segwire.inspect.columns import format_columns, one_line
from segwire.inspect.dead_letters import DeadLetter, DeadLetterDetail
from segwire.inspect.decoding import readable_bytes
from segwire.inspect.times import format_time


def format_letters(letters: Sequence[DeadLetter]) -> str:
    """Write a table, a line for each dead letter."""
    rows = [
        (x.id, format_time(x.at), one_line(x.stage), one_line(x.error), one_line(x.source or "-"), one_line(x.reason))
        for x in letters
    ]
    return format_columns(("ID", "AT", "STAGE", "ERROR", "SOURCE", "REASON"), rows)


def format_detail(letter: DeadLetterDetail, encoding: str | None) -> str:
    """Write all of a dead letter; `encoding` is the content encoding of its bytes."""
    user = "" if letter.user_index is None else f", user {letter.user_index} of the message"
    origin = "none: it was refused at the door"
    if letter.topic is not None:
        origin = f"{letter.topic}[{letter.partition}]@{letter.offset}{user}"
    value = b"" if letter.value is None else base64.b64decode(letter.value)
    facts = {
        "id": letter.id,
        "at": format_time(letter.at),
        "stage": letter.stage,
        "error": letter.error,
        "reason": letter.reason,
        "source": letter.source or "unknown",
        "from": origin,
        "value": "none" if letter.value is None else f"{len(value)} bytes",
    }
    lines = [f"{name:<8}{one_line(text, 10_000)}" for name, text in facts.items()]
    return "\n".join(lines) + ("\n\n" + format_value(value, encoding) if value else "")


def format_value(value: bytes, encoding: str | None = None) -> str:
    """Write bytes for a terminal: JSON indented, digit for digit; else text; else base64."""
    readable = readable_bytes(value, encoding)
    if isinstance(readable, msgspec.Raw):
        return _harmless(msgspec.json.format(bytes(readable), indent=2).decode())
    try:
        return _harmless(value.decode("utf-8"))
    except UnicodeDecodeError:
        return f"base64: {base64.b64encode(value).decode()}"


def _harmless(text: str) -> str:
    """Return text with control characters spelled out: a stranger's bytes must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
