"""Times and positions as people write them."""

import pytest

from runtime.errors import ConfigurationError
from segwire.inspect.times import Start, format_time, parse_since_ms, parse_start

NOW_MS = 1_469_636_262_500
INSTANT_MS = 1_469_636_262_000


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("beginning", Start("beginning")),
        ("end", Start("end")),
        ("0", Start("offset", 0)),
        ("1234", Start("offset", 1234)),
        ("2016-07-27T16:17:42Z", Start("time", INSTANT_MS)),
        ("2016-07-27T18:17:42+02:00", Start("time", INSTANT_MS)),
        ("2016-07-27 16:17:42", Start("time", INSTANT_MS)),
        ("2016-07-27T16:17:42.250Z", Start("time", INSTANT_MS + 250)),
        ("2016-07-27", Start("time", 1_469_577_600_000)),
    ],
)
def test_start_is_a_word_an_offset_or_a_time(text: str, start: Start) -> None:
    assert parse_start(text) == start


@pytest.mark.parametrize("text", ["", "start", "-5", "1.5", "yesterday", "1960-01-01T00:00:00Z"])
def test_other_start_is_refused_with_what_would_do(text: str) -> None:
    with pytest.raises(ConfigurationError, match="give beginning, end, an offset") as caught:
        parse_start(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "back_ms"),
    [("90s", 90_000), ("15m", 900_000), ("2h", 7_200_000), ("7d", 604_800_000), ("1w", 604_800_000), ("0s", 0)],
)
def test_since_counts_back_from_now(text: str, back_ms: int) -> None:
    assert parse_since_ms(text, NOW_MS) == NOW_MS - back_ms


def test_since_takes_a_time_too() -> None:
    assert parse_since_ms("2016-07-27T16:17:42Z", NOW_MS) == INSTANT_MS


def test_since_never_goes_before_1970() -> None:
    assert parse_since_ms("999999w", NOW_MS) == 0


@pytest.mark.parametrize("text", ["2", "h", "2 h", "2y", "-2h", "yesterday"])
def test_other_since_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="give a duration such as"):
        parse_since_ms(text, NOW_MS)


@pytest.mark.parametrize(
    ("epoch_ms", "text"),
    [
        (INSTANT_MS, "2016-07-27T16:17:42Z"),
        (INSTANT_MS + 7, "2016-07-27T16:17:42.007Z"),
        (None, "never"),
        (-1, "-1 ms"),
        (10**18, "1000000000000000000 ms"),
    ],
)
def test_times_are_written_in_utc(epoch_ms: int | None, text: str) -> None:
    assert format_time(epoch_ms) == text
