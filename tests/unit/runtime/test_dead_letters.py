from runtime.dead_letters import REASON_MAX_CHARS, dead_letter
from runtime.processor import OutputRecord
from schemas.redriven import RawHeaders, Redriven, redriven_header, redriven_marks


def test_a_dead_letter_keeps_the_original_and_says_where_from_and_why() -> None:
    letter = dead_letter(
        "dead-letters", stage="fan-out", error="bad-status", reason="Status: 'ü'", source="adobe", key=b"key",
        value=b"\0bytes", origin=("aam-posts", 3, 1234), user_index=0, passed_on=[("traceparent", b"00-1")],
    )  # fmt: skip
    assert letter == OutputRecord(
        "dead-letters", -1, b"key", b"\0bytes",
        [
            ("stage", b"fan-out"), ("error", b"bad-status"), ("reason", "Status: 'ü'".encode()), ("source", b"adobe"),
            ("topic", b"aam-posts"), ("partition", b"3"), ("offset", b"1234"), ("user-index", b"0"),
            ("traceparent", b"00-1"),
        ],
    )  # fmt: skip


def test_what_is_not_known_has_no_header() -> None:
    letter = dead_letter("d", stage="ingest", error="e", reason="r", source=None, key=None, value=None, origin=None)
    assert [name for name, _ in letter.headers or []] == ["stage", "error", "reason"]


def test_a_record_that_was_redriven_stays_marked() -> None:
    marks = [Redriven("0-1", 2, user_index=3), Redriven("0-2", 5, user_index=4)]
    original: RawHeaders = [redriven_header(marks)]
    said = [
        dead_letter("d", stage="fan-out", error="e", reason="r", source=None, key=None, value=None, origin=None,
                    user_index=user, original=original)
        for user in (3, 4, None)
    ]  # fmt: skip
    assert [redriven_marks([*(letter.headers or [])]) for letter in said] == [[marks[0]], [marks[1]], [marks[1]]]


def test_a_reason_is_kept_short_and_always_valid_text() -> None:
    reason = "\ud800" + "x" * 10_000
    letter = dead_letter("d", stage="ingest", error="e", reason=reason, source=None, key=None, value=None, origin=None)
    said = dict(letter.headers or [])["reason"].decode()
    assert len(said) == REASON_MAX_CHARS
    assert said.startswith("?x")
