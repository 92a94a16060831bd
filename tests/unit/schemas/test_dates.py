import time

import pytest

from schemas.dates import DATE_MS_MAX, format_java_date, parse_date_ms

SEED_MS = 1_469_636_242_000


@pytest.mark.parametrize(
    "value",
    [
        "Wed Jul 27 16:17:22 UTC 2016",
        "Wed Jul 27 16:17:22 GMT 2016",
        "2016-07-27T16:17:22Z",
        "2016-07-27t16:17:22z",
        "2016-07-27 16:17:22+00:00",
        "2016-07-27T18:17:22+02:00",
        "2016-07-27T18:17:22+0200",
        "2016-07-27T18:17:22+02",
        "2016-07-27T10:47:22-05:30",
        "2016-07-27T16:17:22.000Z",
        "2016-07-27T16:17:22,000000000Z",
        "1469636242000",
        1_469_636_242_000,
    ],
)
def test_every_accepted_shape_names_the_same_moment(value: str | int) -> None:
    assert parse_date_ms(value) == SEED_MS


def test_fractions_below_a_millisecond_are_cut_off() -> None:
    assert parse_date_ms("2016-07-27T16:17:22.1239Z") == SEED_MS + 123
    assert parse_date_ms("2016-07-27T16:17:22.5Z") == SEED_MS + 500


def test_minutes_suffice_in_iso_8601() -> None:
    assert parse_date_ms("2016-07-27T16:17Z") == SEED_MS - 22_000


def test_wrong_weekday_costs_no_data() -> None:
    assert parse_date_ms("Mon Jul 27 16:17:22 UTC 2016") == SEED_MS


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "Wed Jul 27 16:17:22 CET 2016",
        "Wed Jul 27 16:17:22 PST 2016",
        "Wed Jul 27 16:17:22 utc 2016",
        "Mer Jul 27 16:17:22 UTC 2016",
        "Wed Jui 27 16:17:22 UTC 2016",
        "Wed Feb 30 16:17:22 UTC 2016",
        "Wed Jul 27 24:17:22 UTC 2016",
        "Wed Jul 27 16:60:22 UTC 2016",
        "Wed Jul 27 16:17:60 UTC 2016",
        "Wed Jul 27 16:17:2a UTC 2016",
        "Wed Jul 27 16:17:+2 UTC 2016",
        "Wed Jul 27 16:17:22 UTC 2016 ",
        "Wed Jul 27 16:17:22 UTC 1969",
        "Wed Jul 27 16:17:22 UTC 0000",
        "Wed Jul 27 16:17:22 UTC ٢٠١٦",
        "2016-07-27T16:17:22",
        "2016-07-27",
        "2016-02-30T16:17:22Z",
        "2016-07-27T16:17:22+25:00",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "1469636242000.0",
        "1.469636242e12",
        "-1",
        "+1469636242000",
        "1_469_636_242_000",
        str(DATE_MS_MAX + 1),
        "9" * 5000,
        -1,
        DATE_MS_MAX + 1,
    ],
)
def test_anything_else_is_refused(value: str | int) -> None:
    with pytest.raises(ValueError, match="is not a readable date: send 'Wed Jul 27"):
        parse_date_ms(value)


def test_refusal_names_the_value_and_stays_short() -> None:
    with pytest.raises(ValueError, match="'yesterday' is not"):
        parse_date_ms("yesterday")
    with pytest.raises(ValueError, match="is not") as refusal:
        parse_date_ms("x" * 100_000)
    assert len(str(refusal.value)) < 400


def test_bounds_are_the_years_1970_and_9999() -> None:
    assert parse_date_ms("Thu Jan 01 00:00:00 UTC 1970") == 0
    assert parse_date_ms("9999-12-31T23:59:59.999Z") == DATE_MS_MAX


def test_java_shape_is_written_with_english_names_and_two_digits() -> None:
    assert format_java_date(SEED_MS + 999) == "Wed Jul 27 16:17:22 UTC 2016"
    assert format_java_date(0) == "Thu Jan 01 00:00:00 UTC 1970"


@pytest.mark.parametrize("epoch_ms", [-1, DATE_MS_MAX + 1])
def test_out_of_range_is_not_written(epoch_ms: int) -> None:
    with pytest.raises(ValueError, match="not between the years"):
        format_java_date(epoch_ms)


def test_time_zone_of_the_process_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    try:
        time.tzset()
        assert parse_date_ms("Sat Jul 30 16:17:22 UTC 2016") == SEED_MS + 3 * 86_400_000
        assert format_java_date(SEED_MS) == "Wed Jul 27 16:17:22 UTC 2016"
    finally:
        monkeypatch.undo()
        time.tzset()
