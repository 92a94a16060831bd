"""Times as people write and read them: ISO 8601 in UTC, durations, positions in a log."""

import re
from datetime import UTC, datetime
from typing import Literal

import msgspec

from runtime.errors import ConfigurationError
from schemas.dates import DATE_MS_MAX

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
_OFFSET = re.compile(r"[0-9]{1,18}")


class Start(msgspec.Struct, frozen=True):
    """Where reading starts in every partition: `value` is an offset, or a time in epoch ms."""

    kind: Literal["beginning", "end", "offset", "time"]
    value: int = 0


BEGINNING = Start("beginning")


def format_time(epoch_ms: int | None) -> str:
    """Write epoch ms as ISO 8601 in UTC, milliseconds only where there are any; `never` for None."""
    if epoch_ms is None:
        return "never"
    if not 0 <= epoch_ms <= DATE_MS_MAX:
        return f"{epoch_ms} ms"
    at = datetime.fromtimestamp(epoch_ms // 1000, UTC)
    fraction = epoch_ms % 1000
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction:03}Z" if fraction else "Z")


def parse_start(text: str) -> Start:
    """Read `--from`: beginning, end, an offset, or an ISO 8601 time (UTC where it names no offset).

    Raises:
        ConfigurationError: it is none of these.
    """
    if text == "beginning":
        return BEGINNING
    if text == "end":
        return Start("end")
    if _OFFSET.fullmatch(text):
        return Start("offset", int(text))
    epoch_ms = _parse_iso_ms(text)
    if epoch_ms is None:
        raise ConfigurationError(
            f"--from {text!r}: give beginning, end, an offset (a number) or a time such as 2026-07-27T16:17:22Z"
        )
    return Start("time", epoch_ms)


def parse_since_ms(text: str, now_ms: int) -> int:
    """Read `--since` as epoch ms: an ISO 8601 time, or a duration before `now_ms` such as 90s, 15m, 2h, 7d, 1w.

    Raises:
        ConfigurationError: it is neither.
    """
    duration = _DURATION.fullmatch(text)
    if duration:
        return max(0, now_ms - int(duration[1]) * _UNITS_MS[duration[2]])
    epoch_ms = _parse_iso_ms(text)
    if epoch_ms is None:
        raise ConfigurationError(
            f"--since {text!r}: give a duration such as 90s, 15m, 2h or 7d, or a time such as 2026-07-27T16:17:22Z"
        )
    return epoch_ms


def _parse_iso_ms(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    epoch_ms = int(at.timestamp()) * 1000 + at.microsecond // 1000
    return epoch_ms if epoch_ms >= 0 else None
