"""Redriven letters and backfills with sinks as processes, a partner of ours and a real Kafka between."""

import time
from collections.abc import Iterator

import pytest

from runtime.clock import SystemClock
from segwire.backfill.asked import AskedBackfill
from segwire.inspect.dead_letters import DeadLetter, Wanted
from segwire.inspect.dead_letters_reader import list_dead_letters
from segwire.inspect.receipts import summarise
from segwire.redrive.plan import Choice, make_plan
from segwire.redrive.run import Redriver
from tests.support.kafka import wait_until
from tests.support.outbound import row
from tests.support.outbound_stage import OutboundStage
from tests.support.receiver import Receiver, Reply, Request

NOW_MS = time.time_ns() // 1_000_000_000 * 1000
REFUSED = f"{7:038d}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def letters(stage: OutboundStage) -> list[DeadLetter]:
    return list_dead_letters(stage.kafka, Wanted())


def redrive(stage: OutboundStage, *, again: bool = False) -> list[str]:
    redriver = Redriver(stage.kafka, SystemClock(), time.sleep)
    plan = make_plan(redriver.candidates(), Choice(Wanted(stage="sink:partner"), again=again))
    redriver.send(plan.sends, 100, lambda _: None)
    return [letter.id for letter in plan.letters]


def refuse_one(request: Request) -> Reply:
    return Reply(422 if REFUSED in request.users else 200)


def test_parked_letter_is_redriven_when_the_partner_has_recovered_and_marked_where_it_has_not(
    stage: OutboundStage, receiver: Receiver
) -> None:
    receiver.behaviour = refuse_one
    stage.destination("partner", receiver.url, max_users_per_message=1)
    stage.start("partner").wait_ready()
    stage.publish(row("1", number, aam_uuid=f"{number:038d}", at_ms=NOW_MS) for number in range(1, 11))
    stage.wait_done("partner")
    (parked,) = letters(stage)
    assert (parked.stage, parked.error, parked.redriven) == ("sink:partner", "status-422", 0)

    assert redrive(stage) == [parked.id]
    wait_until(lambda: len(letters(stage)) == 2, "it failed again")
    first, again = letters(stage)
    assert first.redriven_at is not None
    assert (again.redriven, again.first, again.redriven_at) == (1, parked.id, None)
    assert redrive(stage) == []

    before = len(receiver.requests)
    busy = Reply(429, headers=("Retry-After: 1",))
    receiver.behaviour = lambda _: busy if len(receiver.requests) == before + 1 else Reply()
    assert redrive(stage, again=True) == [again.id]
    wait_until(lambda: any(r.aam_uuid == REFUSED and r.answered == 200 for r in stage.receipts()), "it arrived")
    assert len(receiver.memberships()) == 10
    asked, arrived = receiver.requests[before:]
    assert arrived.at_s - asked.at_s >= 1
    (told,) = summarise(receipt for receipt in stage.receipts() if receipt.aam_uuid == REFUSED)
    assert (told.undelivered, [segment.status for segment in told.segments]) == (None, ["ACTIVE"])


def test_backfill_goes_on_after_a_kill_beside_live_changes_and_never_takes_one_back(
    stage: OutboundStage, receiver: Receiver
) -> None:
    users = [f"{number:038d}" for number in range(1, 601)]
    stage.destination("partner", receiver.url, connections=1)
    sink = stage.start("partner").wait_ready()
    stage.publish(row("1", 1, aam_uuid=user, at_ms=NOW_MS) for user in users)
    stage.wait_done("partner")
    assert len(receiver.memberships()) == len(users)

    receiver.held.clear()
    receiver.behaviour = lambda _: Reply(after_s=0.01)
    asked = AskedBackfill(stage.kafka, "partner", SystemClock())
    asked.ask(["1"])
    wait_until(lambda: len(receiver.memberships()) > 100, "the backfill is under way")
    sink.kill()
    left = users[::3]
    stage.publish(row("1", 2, "INACTIVE", aam_uuid=user, at_ms=NOW_MS + 5000) for user in left)
    under_way = asked.under_way()
    assert under_way is not None
    stage.start("partner")
    *_, done = asked.watch(under_way)
    assert (done.users, done.total) == (600, 600)
    assert asked.under_way() is None
    stage.wait_done("partner")
    expected = {user: int(user not in set(left)) for user in users}
    assert {key[0]: status for key, status in receiver.memberships().items()} == expected
    sent: dict[str, int] = {}
    for request in receiver.messages():
        for user in request.post.users:
            (said,) = user.segments
            if sent.get(user.aam_uuid, 0) > said.verified_at:
                pytest.fail(f"{user.aam_uuid}: {said} was sent after what is newer")
            sent[user.aam_uuid] = said.verified_at
