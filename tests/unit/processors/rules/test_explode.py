from typing import Any

import pytest

from processors.rules.explode import FINDINGS_MAX, Exploded, Finding, explode
from schemas.event import Origin, Partner, SegmentEvent, SegmentStatus
from tests.support.posts import WHEN_MS, body, user
from tests.support.samples import SEED_LANGUAGES, seed_body


def exploded(text: bytes) -> Exploded:
    return explode(text, received_at=1_500_000_000_000, source="dev", topic="aam-posts", partition=3, offset=17)


@pytest.mark.parametrize("language", SEED_LANGUAGES)
def test_seed_sample_becomes_one_event_per_user(language: str) -> None:
    result = exploded(seed_body(language))
    assert result.findings == []
    assert [event.aam_uuid for event in result.events] == [
        "19393572368547369350319949416899715727",
        "0578240750487542456854736923319946899715232",
    ]
    assert result.events[0] == SegmentEvent(
        client_id="74323",
        destination_id="423",
        aam_uuid="19393572368547369350319949416899715727",
        partner=Partner("4250948725049857", 12345),
        regions=[9] if language == "nl" else [],
        segments=[SegmentStatus("14356", "ACTIVE", WHEN_MS), SegmentStatus("12176", "INACTIVE", WHEN_MS)],
        process_time=WHEN_MS + 20_000,
        received_at=1_500_000_000_000,
        source="dev",
        origin=Origin("aam-posts", 3, 17, 0),
    )


def test_user_without_segments_makes_an_event() -> None:
    (event,) = exploded(body(user(Segments=[]))).events
    assert event.segments == []


def test_bad_user_is_set_aside_alone_and_keeps_the_others_positions() -> None:
    result = exploded(body(user("a"), user(""), user("c")))
    assert [(event.aam_uuid, event.origin.index) for event in result.events] == [("a", 0), ("c", 2)]
    assert result.findings == [Finding(1, "missing-aam-uuid", "$.Users[1].AAM_UUID: it is missing or empty")]
    assert result.bad_users == 1


def test_same_user_twice_makes_two_events() -> None:
    assert [event.origin.index for event in exploded(body(user(), user())).events] == [0, 1]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"not JSON", "malformed-message"),
        (b"{}", "malformed-message"),
        (body(user(), user(), Client_ID=None), "missing-client-id"),
        (body(user(), AAM_Destination_Id=[]), "bad-destination-id"),
    ],
)
def test_bad_head_is_one_finding_for_the_message(text: bytes, error: str) -> None:
    result = exploded(text)
    assert result.events == []
    assert [(finding.user_index, finding.error) for finding in result.findings] == [(None, error)]


def test_as_many_bad_users_as_allowed_are_set_aside_one_by_one() -> None:
    result = exploded(body(*[5] * FINDINGS_MAX, user()))
    assert [finding.user_index for finding in result.findings] == list(range(FINDINGS_MAX))
    assert len(result.events) == 1


def test_more_bad_users_are_one_finding_and_the_good_ones_go_on() -> None:
    result = exploded(body(*[5] * (FINDINGS_MAX + 1), user()))
    (finding,) = result.findings
    assert (finding.user_index, finding.error) == (None, "many-bad-users")
    assert finding.reason.startswith("101 users of this message are bad input, the first: bad-user, $.Users[0]")
    assert result.bad_users == FINDINGS_MAX + 1
    assert len(result.events) == 1


@pytest.mark.parametrize(("count", "mismatch"), [(1, False), (2, True)])
def test_mismatch_of_the_user_count_is_told(count: Any, mismatch: bool) -> None:
    assert exploded(body(user(), User_count=count)).user_count_mismatch is mismatch


def test_all_zero_ids_are_counted() -> None:
    zero = user(DataPartner_UUID="00000000-0000-0000-0000-000000000000")
    result = exploded(body(zero, user(DataPartner_UUID="a"), zero))
    assert result.all_zero_ids == 2
    assert [event.partner for event in result.events] == [None, Partner("a"), None]
