"""The sample messages, moved in time. Pure, apart from reading this package's own files."""

import json
import re
from importlib.resources import files

from schemas.dates import format_java_date, parse_date_ms

SAMPLE_USER = "19393572368547369350319949416899715727"
"""A user of every sample."""

_JAVA_DATE = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9:]{8} UTC [0-9]{4}")
# Regions came later to the sample; who sends without them is as right.
_FILES = ("without_regions.json",) * 4 + ("with_regions.json",)


def samples() -> list[str]:
    """Return the five messages as they were published; their dates are of 2016."""
    package = files("segwire.up.demo")
    return [package.joinpath(name).read_text(encoding="utf-8") for name in _FILES]


def moved(sample: str, now_ms: int) -> str:
    """Return a message as it would have been sent at `now_ms`; nothing but its dates differs."""
    shift_ms = now_ms - parse_date_ms(str(json.loads(sample)["ProcessTime"]))
    return _JAVA_DATE.sub(lambda date: format_java_date(parse_date_ms(date[0]) + shift_ms), sample)
