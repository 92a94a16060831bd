"""A user's history from rows and changes."""

import json

import msgspec

from schemas.membership import SegmentMembership, SegmentMembershipChange
from segwire.inspect.history import ExplainedUser, UserRecords, explain, key_of
from segwire.inspect.history_text import format_history
from tests.support.published import ENTERED_MS, USER, change, exit_change, row

LEFT_MS = ENTERED_MS + 60_000


def explained(rows: list[SegmentMembership], changes: list[SegmentMembershipChange]) -> ExplainedUser:
    user = explain(USER, UserRecords(rows={key_of(r): r for r in rows}, changes=changes))
    assert user is not None
    return user


def test_unknown_user_is_none() -> None:
    assert explain(USER, UserRecords(rows={}, changes=[])) is None


def test_json_has_the_documented_shape() -> None:
    user = explained([row()], [change()])
    assert json.loads(msgspec.json.encode(user)) == {
        "aam_uuid": USER,
        "memberships": [
            {
                "client_id": "74323",
                "destination_id": "423",
                "segment_id": "14356",
                "status": "ACTIVE",
                "cause": "QUALIFIED",
                "changes": [
                    {
                        "change": "ENTERED",
                        "cause": "QUALIFIED",
                        "changed_at": ENTERED_MS,
                        "version": 1,
                        "origin": {"topic": "aam-posts", "partition": 3, "offset": 1234, "index": 0},
                    }
                ],
            }
        ],
    }


def test_changes_come_newest_first_whatever_their_order() -> None:
    left = row(status="INACTIVE", cause="DISQUALIFIED", version=2)
    for changes in ([change(), exit_change(2, LEFT_MS)], [exit_change(2, LEFT_MS), change()]):
        (membership,) = explained([left], changes).memberships
        assert [c.version for c in membership.changes] == [2, 1]


def test_what_the_user_is_in_comes_first() -> None:
    rows = [row(segment_id="1", status="INACTIVE", cause="EXPIRED"), row(segment_id="2"), row(segment_id="3")]
    assert [m.segment_id for m in explained(rows, []).memberships] == ["2", "3", "1"]


def test_changes_stay_with_their_membership() -> None:
    user = explained([row(), row(segment_id="2")], [change(segment_id="2", version=7)])
    assert [(m.segment_id, [c.version for c in m.changes]) for m in user.memberships] == [("14356", []), ("2", [7])]


def test_membership_whose_row_is_gone_is_told_from_its_last_change() -> None:
    (membership,) = explained([], [change(), exit_change(2, LEFT_MS, cause="PRIVACY")]).memberships
    assert (membership.status, membership.cause) == ("INACTIVE", "PRIVACY")


def test_words_name_time_cause_and_message() -> None:
    left = row(status="INACTIVE", cause="DISQUALIFIED", version=2)
    text = format_history(explained([left], [change(), exit_change(2, LEFT_MS)]), {"14356": "Sports"})
    assert text.splitlines() == [
        f"user {USER}: in 0 of 1 segments known of",
        "",
        "○ segment 14356 (Sports) · client 74323 · destination 423",
        "  INACTIVE because DISQUALIFIED: the sender says that the user is not in it",
        "  ← exited  2016-07-27T16:18:22Z because DISQUALIFIED, from message aam-posts[3]@2000, user 1 of the message",
        "  → entered 2016-07-27T16:17:22Z because QUALIFIED, from message aam-posts[3]@1234, user 0 of the message",
    ]


def test_expiry_names_the_message_that_had_set_the_membership() -> None:
    text = format_history(explained([row()], [exit_change(2, LEFT_MS, cause="EXPIRED")]), {})
    assert "because EXPIRED, last set by message aam-posts[3]@2000" in text


def test_membership_never_entered_says_so() -> None:
    text = format_history(explained([row(status="INACTIVE", cause="DISQUALIFIED")], []), {})
    assert "it was never entered" in text


def test_strangers_segment_id_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in format_history(explained([row(segment_id="\x1b[2J")], []), {})
