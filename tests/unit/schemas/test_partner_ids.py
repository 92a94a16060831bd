import pytest

from schemas.partner_ids import DATA_SOURCES, check_partner_id

LOWER = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
ZERO = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize("dpid", [20914, 121963, 488258, 1171485])
def test_lower_case_sources_take_lower_case_alone(dpid: int) -> None:
    assert check_partner_id(dpid, LOWER).finding == "ok"
    assert check_partner_id(dpid, LOWER.upper()).finding == "wrong-form"


def test_apple_takes_upper_case_alone() -> None:
    assert check_partner_id(20915, LOWER.upper()).finding == "ok"
    assert check_partner_id(20915, LOWER).finding == "wrong-form"


@pytest.mark.parametrize("dpid", [389146, 963906, 1171489])
def test_alphanumeric_sources_take_letters_and_digits(dpid: int) -> None:
    assert check_partner_id(dpid, "aB09").finding == "ok"
    for uuid in ("a b", "a|b", "ä", "a\n", "٣"):
        assert check_partner_id(dpid, uuid).finding == "wrong-form"


@pytest.mark.parametrize("uuid", [LOWER[:-1], LOWER + "0", LOWER.replace("-", ""), f" {LOWER}", LOWER + "\n"])
def test_near_misses_have_the_wrong_form(uuid: str) -> None:
    assert check_partner_id(20914, uuid).finding == "wrong-form"


@pytest.mark.parametrize("dpid", [None, 0, 12345])
@pytest.mark.parametrize("uuid", ["a|b", "0", "000", "-", "Ünï", LOWER, LOWER.upper()])
def test_any_other_source_is_opaque(dpid: int | None, uuid: str) -> None:
    assert check_partner_id(dpid, uuid).finding == "ok"


@pytest.mark.parametrize("dpid", [source.dpid for source in DATA_SOURCES])
@pytest.mark.parametrize("uuid", [ZERO, "0", "0" * 32])
def test_zeros_of_a_device_say_nothing(dpid: int, uuid: str) -> None:
    assert check_partner_id(dpid, uuid).finding == "all-zero"


@pytest.mark.parametrize("dpid", [None, 12345])
def test_all_zero_uuid_says_nothing_in_any_source(dpid: int | None) -> None:
    assert check_partner_id(dpid, ZERO).finding == "all-zero"


def test_reason_names_the_value_the_source_and_the_form() -> None:
    reason = check_partner_id(20914, LOWER.upper()).reason
    assert LOWER.upper() in reason
    assert "20914" in reason
    assert "lower-case" in reason


def test_overlong_id_has_the_wrong_form_and_a_short_reason() -> None:
    finding = check_partner_id(12345, "x" * 1025)
    assert finding.finding == "wrong-form"
    assert len(finding.reason) < 200
