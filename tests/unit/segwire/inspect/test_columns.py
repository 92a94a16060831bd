"""Tables as plain text."""

from segwire.inspect.columns import format_columns, one_line


def test_columns_line_up_without_space_at_the_end() -> None:
    assert format_columns(("A", "NAME"), [("long", "x"), ("b", "")]) == "A     NAME\nlong  x\nb"


def test_table_without_rows_is_its_header() -> None:
    assert format_columns(("A", "B"), []) == "A  B"


def test_strangers_text_cannot_break_the_table() -> None:
    assert one_line("a\nb\x1b[2J\tc") == "a b [2J c"


def test_long_text_ends_in_an_ellipsis() -> None:
    assert one_line("abcdef", 4) == "abc…"
