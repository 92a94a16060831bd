from pathlib import Path

from ingest.spool.errors import SpoolFailed, SpoolFull
from ingest.spool.health import Health
from ingest.spool.state import Level, SpoolLimits


def _health() -> Health:
    return Health(Path("spool"), SpoolLimits(bytes_max=1000))


def test_high_begins_at_four_fifths() -> None:
    assert [_health().level(used) for used in (0, 799, 800, 1000)] == [Level.OK, Level.OK, Level.HIGH, Level.HIGH]


def test_full_lasts_as_long_as_what_was_refused_would_be_refused() -> None:
    health = _health()

    assert health.refusal(900, 100) is None
    assert isinstance(health.refusal(900, 101), SpoolFull)
    assert [health.level(used) for used in (900, 899, 700)] == [Level.FULL, Level.HIGH, Level.OK]


def test_full_says_what_to_do() -> None:
    health = _health()

    assert "its 1000 bytes are used" in str(health.refusal(1000, 1))
    assert "empties by itself" in (health.trouble(1000) or "")


def test_failed_disk_counts_more_than_the_bound_until_it_takes_bytes() -> None:
    health = _health()
    health.disk_refused(SpoolFailed("the disk refused"))

    assert (health.level(990), health.trouble(990)) == (Level.FAILED, "the disk refused")
    health.disk_took()
    assert (health.level(990), health.trouble(990)) == (Level.HIGH, None)


def test_room_made_on_a_full_disk_is_worth_another_try() -> None:
    health = _health()
    health.disk_refused(SpoolFull("no space left"))
    assert health.level(0) is Level.FULL

    health.disk_freed()
    assert health.level(0) is Level.OK


def test_room_made_does_not_mend_a_failed_disk() -> None:
    health = _health()
    health.disk_refused(SpoolFailed("the disk refused"))
    health.disk_freed()

    assert health.level(0) is Level.FAILED
