"""Dates as senders write them, to epoch milliseconds and back.

Three shapes are read: `java.util.Date.toString()` (`Wed Jul 27 16:17:22 UTC 2016`, English names, zone UTC or GMT
alone, since other abbreviations are ambiguous), ISO 8601 with an offset, and epoch milliseconds as a number or as
digits. We write the Java shape. Nothing here depends on the process's locale or time zone.

The weekday of the Java shape must be an English one but need not be the right one: it says nothing that the date
does not say, and a sender's calendar bug must not cost data.

Source: wire format, *Message*.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache

DATE_MS_MAX = 253_402_300_799_999
"""The last millisecond of the year 9999; the first accepted is 0, the start of 1970."""

ACCEPTED_SHAPES = (
    "'Wed Jul 27 16:17:22 UTC 2016' (zone UTC or GMT), ISO 8601 with an offset such as "
    "'2016-07-27T16:17:22Z', or epoch milliseconds, from 1970 to 9999"
)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS = {name: number for number, name in enumerate(_MONTHS, 1)}
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
_SHOWN_CHARACTERS = 80

_SECONDS_MS = {f"{second:02}": second * 1000 for second in range(60)}
_JAVA_CHARACTERS = 28
_HOUR = "([01][0-9]|2[0-3])"
_MINUTE = "([0-5][0-9])"
_JAVA_MINUTE = re.compile(
    rf"(?:{'|'.join(_DAYS)}) ({'|'.join(_MONTHS)}) ([0-9]{{2}}) {_HOUR}:{_MINUTE}: (?:UTC|GMT) ([0-9]{{4}})"
)
_ISO = re.compile(
    rf"([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})[Tt ]{_HOUR}:{_MINUTE}(?::{_MINUTE}(?:[.,]([0-9]{{1,9}}))?)?"
    rf"(?:[Zz]|([+-]){_HOUR}(?::?{_MINUTE})?)"
)
_EPOCH_MS = re.compile(r"[0-9]{1,15}")


def parse_date_ms(value: str | int) -> int:
    """Read a date in any accepted shape as epoch ms; fractions below a millisecond are cut off.

    Raises:
        ValueError: `value` has none of the accepted shapes, is no date of the calendar, or is out of range.
    """
    return parse_date_text_ms(value if isinstance(value, str) else str(value))


# A message repeats few dates many times. A refusal is not kept, so what is kept is short.
@lru_cache(maxsize=4096)
def parse_date_text_ms(text: str) -> int:
    """Read a date in text as `parse_date_ms` does, at the price of a look-up where it was read before.

    Raises:
        ValueError: as `parse_date_ms`.
    """
    epoch_ms = _parse_java(text) if len(text) == _JAVA_CHARACTERS else None
    if epoch_ms is None:
        epoch_ms = int(text) if _EPOCH_MS.fullmatch(text) else _parse_iso(text)
    if epoch_ms is None or not 0 <= epoch_ms <= DATE_MS_MAX:
        raise ValueError(f"{text[:_SHOWN_CHARACTERS]!r} is not a readable date: send {ACCEPTED_SHAPES}")
    return epoch_ms


def format_java_date(epoch_ms: int) -> str:
    """Write epoch ms as `java.util.Date.toString()` in UTC; milliseconds are cut off.

    Raises:
        ValueError: `epoch_ms` is before 1970 or after 9999.
    """
    if not 0 <= epoch_ms <= DATE_MS_MAX:
        raise ValueError(f"{epoch_ms} ms is not between the years 1970 and 9999")
    at = datetime.fromtimestamp(epoch_ms // 1000, UTC)
    clock = f"{at.hour:02}:{at.minute:02}:{at.second:02}"
    return f"{_DAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at.day:02} {clock} UTC {at.year:04}"


def _parse_java(text: str) -> int | None:
    # Dates of live traffic differ in their seconds: the rest of the text is read once a minute.
    second_ms = _SECONDS_MS.get(text[17:19])
    minute_ms = _java_minute_ms(text[:17] + text[19:])
    return None if second_ms is None or minute_ms is None else minute_ms + second_ms


@lru_cache(maxsize=4096)
def _java_minute_ms(text: str) -> int | None:
    java = _JAVA_MINUTE.fullmatch(text)
    if java is None:
        return None
    month, day, hour, minute, year = java.groups()
    return _at_ms(int(year), _MONTH_NUMBERS[month], int(day), int(hour) * 60 + int(minute))


def _parse_iso(text: str) -> int | None:
    iso = _ISO.fullmatch(text)
    if iso is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, offset_hour, offset_minute = iso.groups("0")
    offset = int(offset_hour) * 60 + int(offset_minute)
    minutes = int(hour) * 60 + int(minute) + (offset if sign == "-" else -offset)
    at_ms = _at_ms(int(year), int(month), int(day), minutes)
    return None if at_ms is None else at_ms + int(second) * 1000 + int(fraction[:3].ljust(3, "0"))


def _at_ms(year: int, month: int, day: int, minutes: int) -> int | None:
    try:
        days = date(year, month, day).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        return None
    return days * _DAY_MS + minutes * _MINUTE_MS
