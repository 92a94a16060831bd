import pytest

from schemas.redriven import RawHeaders, Redriven, carried_header, redriven_header, redriven_marks, users_of


def test_marks_are_read_as_they_were_written() -> None:
    marks = [Redriven("3-1234", 2), Redriven("0-7", 1, user_index=0)]
    name, text = redriven_header(marks)
    assert (name, text) == (
        "segwire-redriven", b'[{"letter":"3-1234","count":2},{"letter":"0-7","count":1,"user_index":0}]'
    )  # fmt: skip
    assert redriven_marks([("a", b"b"), (name, text)]) == marks


@pytest.mark.parametrize("headers", [None, [], [("segwire-redriven", b"?")], [("segwire-redriven", None)]])
def test_without_a_mark_that_can_be_read_a_record_counts_as_new(headers: RawHeaders | None) -> None:
    assert redriven_marks(headers) == []
    assert carried_header(headers) == []


@pytest.mark.parametrize(
    ("marks", "users"),
    [
        ([], None),
        ([Redriven("0-1", 1)], None),
        ([Redriven("0-1", 1, 3), Redriven("0-2", 1)], None),
        ([Redriven("0-1", 1, 3), Redriven("0-2", 1, 0)], frozenset({0, 3})),
    ],
)
def test_only_the_users_that_were_set_aside_are_meant(marks: list[Redriven], users: frozenset[int] | None) -> None:
    assert users_of(marks) == users
