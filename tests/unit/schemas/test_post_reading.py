import json
from typing import Any

import pytest

from schemas.event import Partner, SegmentStatus
from schemas.post import MalformedPost, Post, User
from schemas.post_reading import parse_post, parse_post_generally
from tests.support.posts import WHEN, WHEN_MS, body, message, segment, user, without
from tests.support.samples import SEED_LANGUAGES, seed_body

SEED_REGIONS = {"nl": [9]}


def both_ways(text: bytes) -> Post:
    post = parse_post(text)
    assert parse_post_generally(text) == post
    return post


def only_error(entry: Any, **fields: Any) -> str:
    post = both_ways(body(user(), entry, user(), **fields))
    assert [good.position for good in post.users] == [0, 2]
    (bad,) = post.bad_users
    assert bad.position == 1
    assert bad.problem.reason.startswith("$.Users[1]")
    return bad.problem.error


@pytest.mark.parametrize("language", SEED_LANGUAGES)
def test_seed_sample_is_read_as_a_person_would(language: str) -> None:
    regions = SEED_REGIONS.get(language, [])
    assert both_ways(seed_body(language)) == Post(
        client_id="74323",
        destination_id="423",
        process_time=1_469_636_262_000,
        user_count_mismatch=False,
        users=[
            User(
                0,
                "19393572368547369350319949416899715727",
                Partner("4250948725049857", 12345),
                regions,
                [SegmentStatus("14356", "ACTIVE", WHEN_MS), SegmentStatus("12176", "INACTIVE", WHEN_MS)],
            ),
            User(
                1,
                "0578240750487542456854736923319946899715232",
                Partner("848457757347734", 12345),
                regions,
                [SegmentStatus("10329", "ACTIVE", WHEN_MS - 1000), SegmentStatus("23954", "ACTIVE", WHEN_MS - 1000)],
            ),
        ],
        bad_users=[],
    )


@pytest.mark.parametrize(
    "digits", ["19393572368547369350319949416899715727", "9007199254740993", "1.50", "1e400", "12345678901234567890.0"]
)
def test_number_is_kept_digit_for_digit(digits: str) -> None:
    text = body(user("@", DataPartner_UUID="@", Segments=[segment("@")]), Client_ID="@", AAM_Destination_Id="@")
    post = both_ways(text.replace(b'"@"', digits.encode()))
    assert (post.client_id, post.destination_id) == (digits, digits)
    assert post.users[0].aam_uuid == digits
    assert post.users[0].partner == Partner(digits)
    assert post.users[0].segments[0].segment_id == digits


def test_leading_zeros_are_kept() -> None:
    assert both_ways(body(user("0007"))).users[0].aam_uuid == "0007"


@pytest.mark.parametrize("name", ["AAM_Destination_ID", "AAM_Destination_Id"])
def test_destination_is_read_in_both_spellings(name: str) -> None:
    fields = without(message(user()), "AAM_Destination_Id")
    assert both_ways(json.dumps({**fields, name: "8"}).encode()).destination_id == "8"


def test_destination_may_be_missing() -> None:
    assert both_ways(body(user(), AAM_Destination_Id=None)).destination_id == ""


@pytest.mark.parametrize("process_time", [None, "yesterday", {}, True, ""])
def test_unreadable_process_time_is_none(process_time: Any) -> None:
    post = both_ways(body(user(), ProcessTime=process_time))
    assert post.process_time is None
    assert len(post.users) == 1


@pytest.mark.parametrize("count", [1, "1", None])
def test_right_or_missing_user_count_is_no_mismatch(count: Any) -> None:
    assert not both_ways(body(user(), User_count=count)).user_count_mismatch


@pytest.mark.parametrize("count", [2, "0", "one", 1.5, [], True])
def test_wrong_user_count_is_a_mismatch_and_refuses_nothing(count: Any) -> None:
    post = both_ways(body(user(), User_count=count))
    assert post.user_count_mismatch
    assert len(post.users) == 1


@pytest.mark.parametrize("status", ["1", 1, None])
def test_status_is_active(status: Any) -> None:
    assert both_ways(body(user(Segments=[segment(status=status)]))).users[0].segments[0].status == "ACTIVE"


def test_missing_status_is_active() -> None:
    entry = without(segment(), "Status")
    assert both_ways(body(user(Segments=[entry]))).users[0].segments[0].status == "ACTIVE"


@pytest.mark.parametrize("status", ["0", 0])
def test_status_is_inactive(status: Any) -> None:
    assert both_ways(body(user(Segments=[segment(status=status)]))).users[0].segments[0].status == "INACTIVE"


@pytest.mark.parametrize("status", ["2", 2, -1, "", " 1", "01", "true", True, 1.0, "1.0", [], {}])
def test_any_other_status_is_bad(status: Any) -> None:
    assert only_error(user(Segments=[segment(), segment(status=status)])) == "bad-status"


@pytest.mark.parametrize("when", [None, "", "yesterday", True, 1.5, [], "Wed Jul 27 16:17:22 CET 2016"])
def test_missing_or_unreadable_date_is_bad(when: Any) -> None:
    assert only_error(user(Segments=[segment(when=when)])) == "bad-date-time"
    assert only_error(user(Segments=[without(segment(), "DateTime")])) == "bad-date-time"


def test_segment_id_as_number_or_string_is_the_same() -> None:
    segments = both_ways(body(user(Segments=[segment(14356), segment("14356")]))).users[0].segments
    assert segments[0] == segments[1]


@pytest.mark.parametrize("segment_id", ["a|b c", "ä", "\u0000", "x" * 256])
def test_segment_id_is_opaque(segment_id: str) -> None:
    assert both_ways(body(user(Segments=[segment(segment_id)]))).users[0].segments[0].segment_id == segment_id


@pytest.mark.parametrize("segment_id", [None, ""])
def test_missing_segment_id_is_bad(segment_id: Any) -> None:
    assert only_error(user(Segments=[segment(segment_id)])) == "missing-segment-id"


@pytest.mark.parametrize("segment_id", [True, [], {}, "x" * 257])
def test_segment_id_of_a_wrong_kind_is_bad(segment_id: Any) -> None:
    assert only_error(user(Segments=[segment(segment_id)])) == "bad-segment-id"


@pytest.mark.parametrize("segments", [{}, "none", 5, [5], [None], [[]]])
def test_segments_of_a_wrong_kind_are_bad(segments: Any) -> None:
    assert only_error(user(Segments=segments)) == "bad-segments"


@pytest.mark.parametrize("segments", [[], None])
def test_user_without_segments_was_seen(segments: Any) -> None:
    assert both_ways(body(user(Segments=segments))).users[0].segments == []
    assert both_ways(body(without(user(), "Segments"))).users[0].segments == []


@pytest.mark.parametrize("regions", [["9", "11"], [9, 11], ["9", 11]])
def test_regions_are_strings_or_integers(regions: Any) -> None:
    assert both_ways(body(user(AAM_Regions=regions))).users[0].regions == [9, 11]


@pytest.mark.parametrize("regions", ["9", 9, ["x"], [-1], [1.5], [None], [True], ["٩"], [2**31], [[]], {"9": 9}])
def test_regions_of_a_wrong_kind_are_bad(regions: Any) -> None:
    assert only_error(user(AAM_Regions=regions)) == "bad-regions"


@pytest.mark.parametrize("aam_uuid", [None, ""])
def test_missing_aam_uuid_is_bad(aam_uuid: Any) -> None:
    assert only_error(user(aam_uuid)) == "missing-aam-uuid"
    assert only_error(without(user(), "AAM_UUID")) == "missing-aam-uuid"


@pytest.mark.parametrize("aam_uuid", [True, [], {}, "9" * 257, int("9" * 300)])
def test_aam_uuid_of_a_wrong_kind_is_bad(aam_uuid: Any) -> None:
    assert only_error(user(aam_uuid)) == "bad-aam-uuid"


@pytest.mark.parametrize("entry", [None, 5, "user", True, [], [user()]])
def test_user_that_is_no_object_is_bad(entry: Any) -> None:
    assert only_error(entry) == "bad-user"


@pytest.mark.parametrize("broken", [b"\\ud800", b"\\udc00x", b"\xff", b"\xed\xa0\x80"])
def test_text_that_is_not_unicode_spoils_its_user_alone(broken: bytes) -> None:
    post = both_ways(body(user(), user("@"), user(), note="@").replace(b"@", broken))
    assert [good.position for good in post.users] == [0, 2]
    assert post.bad_users[0].problem.error == "bad-text"


def test_unknown_fields_are_ignored_whatever_they_hold() -> None:
    entry = user(note=[{"a": [None, 1.5]}], Segments=[{**segment(), "note": {}}])
    plain = both_ways(body(user()))
    assert both_ways(body(entry, note={"Users": 1})) == plain


@pytest.mark.parametrize("broken", [b"\\ud800", b"\xff"])
def test_unknown_field_whose_name_is_not_unicode_is_ignored(broken: bytes) -> None:
    text = body(user(Segments=[{**segment(), "@": "@"}], **{"@": "@"}), **{"@": "@"})
    assert both_ways(text.replace(b"@", broken)) == both_ways(body(user()))


def test_partner_without_a_data_source() -> None:
    assert both_ways(body(user(DataPartner_UUID="a|b"))).users[0].partner == Partner("a|b", None)


@pytest.mark.parametrize("dpid", [12345, "12345"])
def test_data_source_is_a_number_or_a_string(dpid: Any) -> None:
    post = both_ways(body(user(DataPartner_UUID="a"), User_DPID=dpid))
    assert post.users[0].partner == Partner("a", 12345)


@pytest.mark.parametrize("uuid", [None, ""])
def test_absent_partner_id_is_no_partner(uuid: Any) -> None:
    assert both_ways(body(user(DataPartner_UUID=uuid), User_DPID=20914)).users[0].partner is None


@pytest.mark.parametrize("dpid", ["x", -1, 1.5, [], True, str(2**63), "٩"])
def test_unreadable_data_source_spoils_only_users_with_a_partner_id(dpid: Any) -> None:
    assert only_error(user(DataPartner_UUID="a"), User_DPID=dpid) == "bad-partner-id"


def test_device_id_of_the_wrong_form_spoils_its_user_alone() -> None:
    entry = user(DataPartner_UUID="F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6")
    assert only_error(entry, User_DPID=20914) == "bad-partner-id"


@pytest.mark.parametrize("uuid", [[], {}, True])
def test_partner_id_of_a_wrong_kind_is_bad(uuid: Any) -> None:
    assert only_error(user(DataPartner_UUID=uuid)) == "bad-partner-id"


def test_all_zero_device_id_is_no_partner_and_is_told() -> None:
    (read,) = both_ways(body(user(DataPartner_UUID="00000000-0000-0000-0000-000000000000"), User_DPID=20914)).users
    assert read.partner is None
    assert read.all_zero_id


@pytest.mark.parametrize("client_id", [None, ""])
def test_message_without_a_client_is_a_problem_of_its_head(client_id: Any) -> None:
    post = both_ways(body(user(), user(), Client_ID=client_id))
    assert post.problem is not None
    assert post.problem.error == "missing-client-id"
    assert not post.users
    assert not post.bad_users


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"Client_ID": []}, "bad-client-id"),
        ({"Client_ID": "\ud800"}, "bad-client-id"),
        ({"Client_ID": "x" * 257}, "bad-client-id"),
        ({"AAM_Destination_Id": {}}, "bad-destination-id"),
        ({"AAM_Destination_Id": "x" * 257}, "bad-destination-id"),
    ],
)
def test_unreadable_head_is_a_problem_of_the_message(fields: dict[str, Any], error: str) -> None:
    post = both_ways(body(user(), **fields))
    assert post.problem is not None
    assert post.problem.error == error


def test_reasons_name_the_place_and_stay_short() -> None:
    entry = user(Segments=[segment(), segment(status="x" * 10_000)])
    (bad,) = both_ways(body(user(), entry)).bad_users
    assert bad.problem.reason.startswith("$.Users[1].Segments[1].Status: 'xxx")
    assert len(bad.problem.reason) < 200


@pytest.mark.parametrize("text", [b"", b"[]", b'{"Users": 1}', b'{"Users": ' + b"[" * 100_000])
def test_what_is_no_message_is_malformed(text: bytes) -> None:
    with pytest.raises(MalformedPost):
        parse_post(text)


def test_empty_users_change_nothing() -> None:
    post = both_ways(body())
    assert post.users == []
    assert post.problem is None


def test_epoch_milliseconds_and_iso_dates_are_read() -> None:
    entry = user(Segments=[segment(when=WHEN_MS), segment(when="2016-07-27T16:17:22Z"), segment(when=WHEN)])
    assert {read.verified_at for read in both_ways(body(entry)).users[0].segments} == {WHEN_MS}
