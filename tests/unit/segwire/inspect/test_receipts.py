"""What a destination was told, from its receipts."""

import msgspec
import pytest

from schemas.event import Partner, Status
from schemas.receipts import DeliveryOutcome, DeliveryReceipt, ReceiptSegment
from segwire.inspect.receipts import Wanted, summarise
from segwire.inspect.receipts_text import format_delivered

AT_MS = 1_469_636_242_000
USER = "0578"
PARTNER = Partner("4250948725049857", 12345)


def receipt(
    at_s: int, outcome: DeliveryOutcome = "DELIVERED", partner: Partner | None = PARTNER, destination: str = "p",
    version: int | None = None, **statuses: Status,
) -> DeliveryReceipt:  # fmt: skip
    """Return a receipt of `at_s` seconds after the beginning; segments are given as s14356="ACTIVE"."""
    version = at_s if version is None else version
    segments = [
        ReceiptSegment(segment_id=name[1:], status=status, verified_at=AT_MS, version=version)
        for name, status in statuses.items()
    ]
    answered = {"DELIVERED": 200, "REFUSED": 503}.get(outcome)
    return DeliveryReceipt(
        destination=destination, aam_uuid=USER, partner=partner, segments=segments, sent_at=AT_MS + at_s * 1000,
        outcome=outcome, answered=answered, latency_ms=35, request_id="r", reason=None if answered == 200 else "full",
    )  # fmt: skip


def test_last_delivered_status_of_each_segment_is_told() -> None:
    (found,) = summarise([receipt(1, s1="ACTIVE", s2="ACTIVE"), receipt(2, s1="INACTIVE")])
    assert [(s.segment_id, s.status, s.delivered_at) for s in found.segments] == [
        ("1", "INACTIVE", AT_MS + 2000),
        ("2", "ACTIVE", AT_MS + 1000),
    ]
    assert not found.removed


@pytest.mark.parametrize("first", ["ACTIVE", "INACTIVE"])
def test_user_is_removed_where_every_segment_was_acknowledged_inactive(first: Status) -> None:
    (found,) = summarise([receipt(1, s1="ACTIVE", s2="INACTIVE"), receipt(2, s1=first)])
    assert found.removed is (first == "INACTIVE")


def test_nothing_delivered_is_no_removal() -> None:
    (found,) = summarise([receipt(1, "REFUSED", s1="INACTIVE")])
    assert (found.removed, found.segments, found.delivered) == (False, [], None)
    assert found.undelivered is not None
    assert (found.undelivered.answered, found.undelivered.segments) == (503, ["1"])


def test_older_version_that_was_delivered_later_does_not_hide_a_newer_one() -> None:
    (found,) = summarise([receipt(1, version=9, s1="INACTIVE"), receipt(2, version=8, s1="ACTIVE")])
    assert [s.status for s in found.segments] == ["INACTIVE"]


@pytest.mark.parametrize("outcome", ["REFUSED", "FAILED", "PARKED"])
def test_failure_is_told_until_something_is_delivered_after_it(outcome: DeliveryOutcome) -> None:
    removal = receipt(3, outcome, s1="INACTIVE")
    (found,) = summarise([receipt(1, s1="ACTIVE"), removal])
    assert found.undelivered is not None
    assert found.undelivered.outcome == outcome
    assert not found.removed
    (found,) = summarise([receipt(1, s1="ACTIVE"), removal, receipt(4, s1="INACTIVE")])
    assert found.undelivered is None
    assert found.removed


def test_order_in_which_receipts_come_does_not_matter() -> None:
    receipts = [receipt(1, s1="ACTIVE"), receipt(2, "FAILED", s1="INACTIVE"), receipt(3, s1="INACTIVE")]
    assert summarise(receipts) == summarise(reversed(receipts))


def test_each_identifier_at_each_destination_stands_for_itself() -> None:
    others = [None, Partner("b"), Partner("b", 7)]
    found = summarise([*(receipt(1, partner=p, s1="ACTIVE") for p in [PARTNER, *others]), receipt(1, destination="a")])
    assert [(x.destination, x.partner) for x in found] == [("a", PARTNER), *(("p", p) for p in [*others, PARTNER])]


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (Wanted(), True),
        (Wanted(aam_uuid=USER, destination="p"), True),
        (Wanted(aam_uuid="578"), False),
        (Wanted(destination="q"), False),
        (Wanted(partner_uuid=PARTNER.uuid), True),
        (Wanted(partner_uuid=PARTNER.uuid, dpid=12345), True),
        (Wanted(partner_uuid=PARTNER.uuid, dpid=1), False),
        (Wanted(partner_uuid="4250"), False),
    ],
)
def test_receipts_are_chosen(wanted: Wanted, matches: bool) -> None:
    assert wanted.matches(receipt(1)) is matches


def test_receipt_without_a_partner_is_not_of_any_partner() -> None:
    assert not Wanted(partner_uuid="").matches(receipt(1, partner=None))


def test_line_answers_whether_the_removal_was_delivered() -> None:
    lines = format_delivered(
        summarise([receipt(1, s1="ACTIVE"), receipt(2, s1="INACTIVE"), receipt(1, destination="q", s1="ACTIVE"),
                   receipt(2, "REFUSED", destination="q", s1="INACTIVE"), receipt(2, "FAILED", destination="r")])
    ).splitlines()  # fmt: skip
    cells = [[cell.strip() for cell in line.split("  ") if cell] for line in lines[1:]]
    identifier = "12345|4250948725049857"
    assert cells == [
        ["p", USER, identifier, "yes", "-", "1", "2016-07-27T16:17:24Z: 200 in 35 ms", "-"],
        ["q", USER, identifier, "no", "1", "-", "2016-07-27T16:17:23Z: 200 in 35 ms",
         "2016-07-27T16:17:24Z: REFUSED 503 (full)"],
        ["r", USER, identifier, "never told", "-", "-", "never", "2016-07-27T16:17:24Z: FAILED (full)"],
    ]  # fmt: skip


def test_summary_is_what_scripts_read() -> None:
    (found,) = msgspec.to_builtins(summarise([receipt(1, s1="INACTIVE")]))
    assert found == {
        "destination": "p",
        "aam_uuid": USER,
        "partner": {"uuid": "4250948725049857", "dpid": 12345},
        "removed": True,
        "segments": [
            {"segment_id": "1", "sent_as": None, "status": "INACTIVE", "verified_at": AT_MS, "version": 1,
             "delivered_at": AT_MS + 1000}
        ],
        "delivered": {"sent_at": AT_MS + 1000, "answered": 200, "attempt": 1, "latency_ms": 35, "request_id": "r"},
        "undelivered": None,
    }  # fmt: skip
