"""Messages of one batch on their way."""

import asyncio
from collections.abc import Callable

from sinks.outbound.sender import Attempts, Sender
from sinks.outbound.verdict import Answer
from tests.support.partners import FakePartner, answer, in_turn


def send(partner: FakePartner, *bodies: bytes, connections: int = 4, budget_s: float = 30) -> list[Attempts]:
    return asyncio.run(Sender(partner, connections, budget_s).send(bodies))


def statuses(attempts: list[Attempts]) -> list[list[int | None]]:
    return [[each.status for each in made.answers] for made in attempts]


def by_body(**of: Answer) -> Callable[[bytes], Answer]:
    return lambda body: of[body.decode()]


def test_a_failure_is_retried_once_and_no_more() -> None:
    partner = FakePartner(in_turn(answer(500)))
    assert statuses(send(partner, b"a")) == [[500, 500]]
    assert partner.bodies == [b"a", b"a"]


def test_a_retry_that_passes_is_a_delivery() -> None:
    (made,) = send(FakePartner(in_turn(answer(None), answer(200))), b"a")
    assert ([each.status for each in made.answers], made.verdict) == ([None, 200], "delivered")


def test_a_partner_that_asks_to_be_left_alone_is_not_tried_again_at_once() -> None:
    (made,) = send(FakePartner(in_turn(answer(503, 9.0))), b"a")
    assert (len(made.answers), made.asked_wait_s) == (1, 9.0)


def test_messages_go_side_by_side_up_to_the_limit_and_results_keep_their_order() -> None:
    partner = FakePartner(by_body(a=answer(200), b=answer(400), c=answer(200), d=answer(200), e=answer(200)))
    assert statuses(send(partner, b"a", b"b", b"c", b"d", b"e", connections=3)) == [
        [200],
        [400, 400],
        [200],
        [200],
        [200],
    ]
    assert partner.under_way_max == 3


def test_what_is_not_done_within_the_budget_counts_as_not_sent() -> None:
    partner = FakePartner()
    partner.hangs = True
    assert statuses(send(partner, b"a", b"b", budget_s=0.01)) == [[], []]
    assert partner.under_way == 0


def test_where_the_first_all_fail_the_others_are_spared() -> None:
    partner = FakePartner(in_turn(answer(500)))
    attempts = send(partner, *[b"%d" % number for number in range(20)], connections=2)
    assert len(partner.bodies) <= 2 * 6
    assert [made.verdict for made in attempts[-10:]] == [None] * 10


def test_nothing_to_send_is_no_work() -> None:
    assert send(FakePartner()) == []
