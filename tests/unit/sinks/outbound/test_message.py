"""Messages as bytes, read by the same parser that our endpoint uses."""

import json

from schemas.dates import DATE_MS_MAX
from schemas.event import Partner, SegmentStatus
from schemas.post_check import check_post
from schemas.post_reading import parse_post
from sinks.outbound.message import Head, UserEntry, render
from sinks.outbound.rules import Entry
from tests.support.outbound import DPID, NOW_MS, NOW_S, USER

HEAD = Head("74323", "423", DPID)
IN = Entry("14356", "their own", True, NOW_S, 1)
OUT = Entry("12176", "12176", False, NOW_S, 2)


def test_a_message_has_the_shape_of_the_specification() -> None:
    body = render(HEAD, [UserEntry(USER, "4250948725049857", (9,), (IN, OUT))], NOW_MS)
    assert json.loads(body) == {
        "ProcessTime": "Tue Nov 14 22:13:20 UTC 2023",
        "User_DPID": "12345",
        "Client_ID": "74323",
        "AAM_Destination_Id": "423",
        "User_count": "1",
        "Users": [
            {
                "AAM_UUID": USER,
                "DataPartner_UUID": "4250948725049857",
                "AAM_Regions": ["9"],
                "Segments": [
                    {"Segment_ID": "their own", "Status": "1", "DateTime": "Tue Nov 14 22:13:20 UTC 2023"},
                    {"Segment_ID": "12176", "Status": "0", "DateTime": "Tue Nov 14 22:13:20 UTC 2023"},
                ],
            }
        ],
    }


def test_our_own_endpoint_reads_what_was_meant() -> None:
    users = [UserEntry(USER, 'a|b"\\ü', (9, 3), (IN, OUT)), UserEntry("0" * 38, None, (), (OUT,))]
    body = render(HEAD, users, NOW_MS)
    check_post(body)
    post = parse_post(body)
    assert (post.problem, post.bad_users, post.user_count_mismatch) == (None, [], False)
    assert (post.client_id, post.destination_id, post.process_time) == ("74323", "423", NOW_MS)
    assert [(user.aam_uuid, user.partner, user.regions) for user in post.users] == [
        (USER, Partner('a|b"\\ü', DPID), [9, 3]),
        ("0" * 38, None, []),
    ]
    assert post.users[0].segments == [
        SegmentStatus("their own", "ACTIVE", NOW_MS),
        SegmentStatus("12176", "INACTIVE", NOW_MS),
    ]


def test_without_a_data_source_none_is_named() -> None:
    post = parse_post(render(Head("1", "2", None), [UserEntry(USER, "x", (), (IN,))], NOW_MS))
    assert post.users[0].partner == Partner("x", None)


def test_a_time_past_every_calendar_is_sent_as_the_last_one() -> None:
    late = IN._replace(at_s=DATE_MS_MAX // 1000 + 1)
    assert b"Dec 31 23:59:59 UTC 9999" in render(HEAD, [UserEntry(USER, None, (), (late,))], NOW_MS)
