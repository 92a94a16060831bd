from processors.rules.identities import MAX_PARTNERS, with_partner
from schemas.event import Partner


def _partners(first: int, past: int) -> list[Partner]:
    return [Partner(str(number), 1) for number in range(first, past)]


def test_the_first_partner_id_is_kept() -> None:
    assert with_partner([], Partner("a", 1)) == [Partner("a", 1)]


def test_a_partner_id_seen_again_changes_nothing() -> None:
    known = _partners(0, 3)
    assert with_partner(known, Partner("0", 1)) is known


def test_the_same_id_in_another_data_source_is_another() -> None:
    assert with_partner([Partner("a", 1)], Partner("a", None)) == [Partner("a", 1), Partner("a", None)]


def test_at_most_1000_are_kept() -> None:
    assert MAX_PARTNERS == 1000
    assert with_partner(_partners(0, 999), Partner("999", 1)) == _partners(0, 1000)


def test_the_first_in_goes_first_out() -> None:
    assert with_partner(_partners(0, 1000), Partner("1000", 1)) == _partners(1, 1001)


def test_an_id_seen_again_keeps_its_place_in_the_queue() -> None:
    known = with_partner(_partners(0, 1000), Partner("0", 1))
    assert with_partner(known, Partner("1000", 1)) == _partners(1, 1001)


def test_what_was_told_before_is_left_as_it_was() -> None:
    told = _partners(0, 2)
    with_partner(told, Partner("2", 1))
    assert told == _partners(0, 2)
