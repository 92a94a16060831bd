from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from schemas.dates import DATE_MS_MAX, format_java_date, parse_date_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, DATE_MS_MAX)
LETTERS = "MonTueWedJanFebDecUTCGMT0123456789 :+-.Z"


@given(MOMENTS)
def test_java_shape_comes_back_to_the_second(epoch_ms: int) -> None:
    assert parse_date_ms(format_java_date(epoch_ms)) == epoch_ms - epoch_ms % 1000


@given(MOMENTS)
def test_java_shape_is_that_of_strftime_in_english(epoch_ms: int) -> None:
    moment = EPOCH + timedelta(milliseconds=epoch_ms)
    # strftime does not pad years, and no test sets a locale.
    assert format_java_date(epoch_ms) == f"{moment:%a %b %d %H:%M:%S} UTC {moment.year:04}"


@given(MOMENTS, st.integers(-23 * 60, 23 * 60), st.sampled_from([" ", "T"]))
def test_iso_8601_is_read_as_python_writes_it(epoch_ms: int, offset_minutes: int, separator: str) -> None:
    zone = timezone(timedelta(minutes=offset_minutes))
    try:
        moment = (EPOCH + timedelta(milliseconds=epoch_ms)).astimezone(zone)
    except OverflowError:
        return
    assert parse_date_ms(moment.isoformat(separator)) == epoch_ms


@given(MOMENTS)
def test_epoch_milliseconds_are_read_as_number_and_as_digits(epoch_ms: int) -> None:
    assert parse_date_ms(epoch_ms) == parse_date_ms(str(epoch_ms)) == epoch_ms


@given(st.one_of(st.text(max_size=40), st.text(LETTERS, min_size=20, max_size=30), st.integers()))
def test_anything_is_a_date_in_range_or_refused(value: str | int) -> None:
    with suppress(ValueError):
        assert 0 <= parse_date_ms(value) <= DATE_MS_MAX
