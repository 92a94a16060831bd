"""Mappings over time."""

from sinks.outbound.mapping import Schedule, Window, fingerprint


def test_a_window_holds_from_its_start_up_to_before_its_end() -> None:
    schedule = Schedule([Window("1", "a", 100, 200), Window("2", "b")])
    found = [schedule.at(now_ms).values for now_ms in (99, 100, 199, 200)]
    assert found == [{"2": "b"}, {"1": "a", "2": "b"}, {"1": "a", "2": "b"}, {"2": "b"}]


def test_a_mapping_that_starts_or_ends_is_another_mapping_and_one_that_came_back_is_the_same() -> None:
    schedule = Schedule([Window("1", "a", 100, 200), Window("2", "b")])
    before, during, later, after = (schedule.at(now_ms).fingerprint for now_ms in (0, 150, 160, 300))
    assert before == after != during == later


def test_another_value_or_another_destination_is_another_mapping() -> None:
    prints = {
        Schedule([Window("1", "a")], "client").at(0).fingerprint,
        Schedule([Window("1", "b")], "client").at(0).fingerprint,
        Schedule([Window("1", "a")], "other").at(0).fingerprint,
    }
    assert len(prints) == 3


def test_a_fingerprint_is_the_same_in_every_release() -> None:
    assert fingerprint([("1", "a")]) == 24_889_238_377_282_239


def test_parts_do_not_run_into_each_other() -> None:
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])
