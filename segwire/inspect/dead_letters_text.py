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
        (
            x.id,
            format_time(x.at),
            one_line(x.stage),
            one_line(x.error),
            one_line(x.source or "-"),
            format_redriven(x.redriven, x.redriven_at),
            one_line(x.reason),
        )
        for x in letters
    ]
    return format_columns(("ID", "AT", "STAGE", "ERROR", "SOURCE", "REDRIVEN", "REASON"), rows)


def format_redriven(times_before: int, at_ms: int | None) -> str:
    """Say whether a letter was redriven, or came of one that was and failed again."""
    said = [] if at_ms is None else [format_time(at_ms)]
    if times_before:
        said.append(f"failed again after {times_before}")
    return ", ".join(said) or "-"


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
        "redriven": format_redriven(letter.redriven, letter.redriven_at),
        "value": "none" if letter.value is None else f"{len(value)} bytes",
    }
    lines = [f"{name:<9}{one_line(text, 10_000)}" for name, text in facts.items()]
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
