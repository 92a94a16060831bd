"""Tables as plain text."""

from collections.abc import Sequence


def format_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table with two spaces between columns; the last column is as long as its text."""
    table = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)
    return "\n".join(lines)


def one_line(text: str, characters_max: int = 160) -> str:
    """Return text without line breaks or control characters, shortened with an ellipsis."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= characters_max else clean[: characters_max - 1] + "…"
