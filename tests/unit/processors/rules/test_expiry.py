from datetime import UTC, datetime

import pytest

from processors.rules.expiry import TimeLimits
from schemas.dates import parse_date_ms

ONE_DAY = TimeLimits(default_ttl_days=1, ttl_days={"never": 0, "month": 30})
HOUR_MS = 3_600_000


def _ms(day: str, clock: str) -> int:
    return int(datetime.fromisoformat(f"{day}T{clock}+00:00").timestamp() * 1000)


#   27 July          28 July          29 July
#   |01:00 -------- 47 h ------------>|
#   |   01:30 ----- 46.5 h ---------->|
#   |          23:00 ---- 25 h ------>|
@pytest.mark.parametrize(
    ("clock", "hours"),
    [
        ("00:00:00", 48),
        ("00:00:01", 48 - 1 / 3600),
        ("01:00:00", 47),
        ("01:30:00", 46.5),
        ("23:00:00", 25),
        ("23:59:59", 24 + 1 / 3600),
    ],
)
def test_the_clock_starts_at_the_next_utc_midnight(clock: str, hours: float) -> None:
    qualified = _ms("2016-07-27", clock)
    expires_at = ONE_DAY.expires_at("14356", qualified)
    assert expires_at == qualified + round(hours * HOUR_MS)
    assert expires_at == _ms("2016-07-29", "00:00:00")


def test_a_membership_without_a_limit_of_its_own_lives_for_the_default() -> None:
    assert TimeLimits().expires_at("14356", _ms("2016-07-27", "16:17:22")) == _ms("2016-11-25", "00:00:00")


def test_a_segment_may_have_a_limit_of_its_own() -> None:
    assert ONE_DAY.expires_at("month", _ms("2016-07-27", "16:17:22")) == _ms("2016-08-27", "00:00:00")


def test_a_limit_of_0_days_is_never() -> None:
    assert ONE_DAY.expires_at("never", _ms("2016-07-27", "16:17:22")) is None
    assert TimeLimits(default_ttl_days=0).expires_at("14356", 0) is None


def test_a_qualification_of_before_the_epoch_ends_at_a_midnight_too() -> None:
    assert ONE_DAY.expires_at("14356", -1) == 24 * HOUR_MS


def test_expiry_is_the_same_for_every_way_of_writing_the_date() -> None:
    expires_at = {
        ONE_DAY.expires_at("14356", parse_date_ms(text))
        for text in ("Wed Jul 27 16:17:22 UTC 2016", "2016-07-27T18:17:22+02:00", "1469636242000")
    }
    assert expires_at == {_ms("2016-07-29", "00:00:00")}


def test_a_user_is_inactive_a_whole_number_of_days_after_the_day_last_seen_and_never_early() -> None:
    limits = TimeLimits(inactivity_days=120)
    seen = _ms("2016-07-27", "16:17:22")
    inactive_at = limits.inactive_at(seen // (24 * HOUR_MS))
    assert datetime.fromtimestamp(inactive_at / 1000, UTC).isoformat() == "2016-11-25T00:00:00+00:00"
    assert seen + 120 * 24 * HOUR_MS <= inactive_at <= seen + 121 * 24 * HOUR_MS
