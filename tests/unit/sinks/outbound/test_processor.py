"""How the processor hosts the rules; the store is a dictionary here, and the partner a function."""

from collections.abc import Iterator
from typing import Any

import pytest

from runtime.processor import Backpressure, OutputRecord, TimerFailed
from runtime.state.store import data_key
from schemas.avro_codec import decode_receipt, encode_key
from schemas.event import Partner
from schemas.post_reading import parse_post
from schemas.receipts import DeliveryReceipt
from sinks.outbound.processor import OUTBOUND_CODEC
from sinks.outbound.rules import decide
from sinks.outbound.state import UserState
from tests.support.outbound import DAY_MS, DPID, NOW_MS, USER, key_of, row
from tests.support.outbound_host import PARTITION, Host
from tests.support.partners import answer


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.runner.close()


@pytest.fixture
def batch() -> Iterator[Host]:
    made = Host("batch")
    yield made
    made.runner.close()


def receipts(outputs: list[OutputRecord]) -> list[DeliveryReceipt]:
    return [decode_receipt(each.value or b"") for each in outputs if each.topic == "eu-delivery-receipts"]


def letters(outputs: list[OutputRecord]) -> list[dict[str, bytes]]:
    return [dict(each.headers or []) for each in outputs if each.topic == "eu-dead-letters"]


def test_a_row_becomes_a_message_and_a_receipt_that_says_what_was_sent(host: Host) -> None:
    outputs = host.process(row("1", 7), row("3", 8))
    (receipt,) = receipts(outputs)
    assert (outputs[0].partition, outputs[0].key, len(outputs)) == (PARTITION, USER.encode(), 1)
    assert (receipt.destination, receipt.aam_uuid, receipt.partner) == ("p", USER, Partner("cookie-1", DPID))
    assert (receipt.outcome, receipt.answered, receipt.attempt, receipt.latency_ms) == ("DELIVERED", 200, 1, 5)
    (segment,) = receipt.segments
    assert (segment.segment_id, segment.sent_as, segment.status) == ("1", "one", "ACTIVE")
    assert (segment.verified_at, segment.version) == (NOW_MS, 7)
    assert host.statuses() == [{"one": "ACTIVE"}]


def test_the_rows_of_a_user_in_one_batch_are_one_entry_of_one_message(host: Host) -> None:
    host.process(row("1", 1), row("2", 2), row("1", 3, "INACTIVE", NOW_MS + 1000))
    assert host.statuses() == [{"one": "INACTIVE", "2": "ACTIVE"}]


def test_every_synced_id_hears_of_the_exit_and_has_a_receipt(host: Host) -> None:
    partners = [Partner("a", DPID), Partner("b", DPID), Partner("c", 20915)]
    host.process(row("1", 1, partners=partners))
    host.commit()
    outputs = host.process(row("1", 2, "INACTIVE", partners=partners))
    (_, post) = (parse_post(body) for body in host.partner.bodies)
    heard = {user.partner.uuid: user.segments[0].status for user in post.users if user.partner}
    assert heard == {"a": "INACTIVE", "b": "INACTIVE"}
    assert [receipt.partner.uuid for receipt in receipts(outputs) if receipt.partner] == ["a", "b"]
    assert len({receipt.request_id for receipt in receipts(outputs)}) == 1


def test_what_the_partner_refuses_is_parked_with_a_receipt_for_each_attempt(host: Host) -> None:
    host.partner.behaviour = lambda _: answer(400)
    outputs = host.process(row("1", 1))
    assert [(each.outcome, each.attempt, each.answered) for each in receipts(outputs)] == [
        ("REFUSED", 1, 400), ("REFUSED", 2, 400), ("PARKED", 0, 400),
    ]  # fmt: skip
    (letter,) = letters(outputs)
    assert (letter["stage"], letter["error"], letter["topic"]) == (b"sink:p", b"status-400", b"eu-segment-membership")
    (dead,) = [each for each in outputs if each.topic == "eu-dead-letters"]
    assert (dead.key, dead.value) == (USER.encode(), host.partner.bodies[0])


def test_what_was_parked_is_said_again_the_next_time_the_user_is_seen(host: Host) -> None:
    host.partner.behaviour = lambda _: answer(400)
    host.process(row("1", 1))
    host.commit()
    host.partner.behaviour = lambda _: answer()
    host.process(row("3", 2))
    assert host.statuses()[-1] == {"one": "ACTIVE"}


def test_while_the_partner_is_down_nothing_is_done_of_the_batch(host: Host) -> None:
    host.process(row("1", 1))
    host.partner.behaviour = lambda _: answer(500)
    waiting = host.records(row("1", 2, "INACTIVE", NOW_MS + 1000))
    with pytest.raises(Backpressure):
        host.processor.process(waiting)
    # What was done before in the same transaction is committed as it was.
    host.commit()
    stored = OUTBOUND_CODEC.decode(host.store.entries[data_key(PARTITION, USER.encode())] or b"")
    assert (stored.offset, stored.active) == (0, 1)
    host.partner.behaviour = lambda _: answer()
    host.clock.at_s += 60
    assert [each.outcome for each in receipts(list(host.processor.process(waiting)))] == ["DELIVERED"]
    assert host.statuses()[-1] == {"one": "INACTIVE"}


def test_an_aborted_transaction_tells_the_same_again_without_sending_again(host: Host) -> None:
    records = host.records(row("1", 1))
    first = list(host.processor.process(records))
    host.abort()
    assert list(host.processor.process(records)) == first
    assert len(host.partner.bodies) == 1


def test_a_record_that_was_applied_before_is_passed_over(host: Host) -> None:
    host.process(row("1", 1))
    host.commit()
    host.offset = 0
    assert host.process(row("1", 1)) == []


def test_a_deleted_user_leaves_nothing_behind(host: Host) -> None:
    host.process(row("1", 1))
    host.process(row("1", 2, "INACTIVE", cause="PRIVACY"))
    host.commit()
    assert host.process((encode_key(key_of(row("1", 2))), None)) == []
    host.commit()
    assert host.store.entries == {data_key(PARTITION, USER.encode()): None}


@pytest.mark.parametrize("bad", [(b"k", b"no row"), (b"no key", None), (None, None)])
def test_what_is_no_row_is_set_aside_and_the_line_goes_on(host: Host, bad: tuple[bytes | None, bytes | None]) -> None:
    outputs = host.process(bad, row("1", 1))
    (letter,) = letters(outputs)
    assert letter["error"] == b"malformed-row"
    assert len(receipts(outputs)) == 1


def test_a_batch_goes_at_midnight_with_what_changed_since_the_last(batch: Host) -> None:
    assert batch.process(row("1", 1)) == []
    batch.commit()
    assert batch.process(row("2", 2)) == []
    batch.commit()
    midnight_ms = (NOW_MS // DAY_MS + 1) * DAY_MS
    assert batch.processor.punctuate(midnight_ms - 1, [PARTITION]) == []
    assert len(receipts(list(batch.processor.punctuate(midnight_ms, [PARTITION])))) == 1
    batch.commit()
    assert batch.statuses() == [{"one": "ACTIVE", "2": "ACTIVE"}]
    batch.clock.at_s = midnight_ms / 1000 + 60
    batch.process(row("1", 3, "INACTIVE", midnight_ms))
    batch.commit()
    assert batch.processor.punctuate(midnight_ms + DAY_MS - 1, [PARTITION]) == []
    batch.processor.punctuate(midnight_ms + DAY_MS, [PARTITION])
    assert batch.statuses()[1:] == [{"one": "INACTIVE"}]


def test_a_user_of_whom_nothing_can_be_decided_holds_up_no_other_of_the_batch(
    batch: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "7" * 38
    batch.process(row("1", 1), row("2", 2, aam_uuid=other))
    batch.commit()
    midnight_ms = (NOW_MS // DAY_MS + 1) * DAY_MS

    def decide_or_fail(user: UserState, *arguments: Any) -> object:
        if "2" in user.segments:
            raise ValueError("a secret")
        return decide(user, *arguments)

    monkeypatch.setattr("sinks.outbound.processor.decide", decide_or_fail)
    with pytest.raises(TimerFailed):
        batch.processor.punctuate(midnight_ms, [PARTITION])
    assert batch.statuses() == []
    batch.table.drop()
    batch.processor.punctuate(midnight_ms, [PARTITION])
    assert batch.statuses() == [{"one": "ACTIVE"}]


def test_a_batch_waits_while_the_partner_is_down_and_fires_once_it_is_back(batch: Host) -> None:
    batch.process(row("1", 1))
    batch.commit()
    due_ms = (NOW_MS // DAY_MS + 1) * DAY_MS
    batch.partner.behaviour = lambda _: answer(500)
    assert list(batch.processor.punctuate(due_ms, [PARTITION])) == []
    assert not batch.table.pending()
    batch.partner.behaviour = lambda _: answer()
    batch.clock.at_s += 60
    assert len(receipts(list(batch.processor.punctuate(due_ms, [PARTITION])))) == 1
    batch.commit()
    assert list(batch.processor.punctuate(due_ms, [PARTITION])) == []


def test_a_repeat_makes_no_batch(batch: Host) -> None:
    batch.process(row("1", 1))
    batch.commit()
    batch.processor.punctuate((NOW_MS // DAY_MS + 1) * DAY_MS, [PARTITION])
    batch.commit()
    batch.process(row("1", 2, at_ms=NOW_MS + DAY_MS))
    batch.commit()
    assert batch.store.timers == set()


def test_a_deleted_user_leaves_nothing_behind_in_batch_mode_either(batch: Host) -> None:
    batch.process(row("1", 1, "INACTIVE", cause="PRIVACY"))
    batch.commit()
    batch.processor.punctuate(NOW_MS + DAY_MS, [PARTITION])
    batch.commit()
    batch.process((encode_key(key_of(row("1", 1))), None))
    batch.commit()
    assert batch.store.entries == {data_key(PARTITION, USER.encode()): None}


def test_in_real_time_nothing_is_ever_due(host: Host) -> None:
    host.process(row("1", 1))
    host.commit()
    assert host.store.timers == set()
    assert list(host.processor.punctuate(NOW_MS + 9 * DAY_MS, [PARTITION])) == []


def test_what_waited_for_a_batch_still_goes_when_the_destination_is_real_time_by_then(batch: Host, host: Host) -> None:
    batch.process(row("1", 1), row("1", 1, aam_uuid="other"))
    batch.commit()
    host.store.entries, host.store.timers = batch.store.entries, batch.store.timers
    host.offset = batch.offset
    host.process(row("2", 2))
    host.commit()
    host.processor.punctuate(NOW_MS + DAY_MS, [PARTITION])
    assert host.statuses() == [{"one": "ACTIVE", "2": "ACTIVE"}, {"one": "ACTIVE"}]
