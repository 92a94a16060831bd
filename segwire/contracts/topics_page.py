"""The table of topics in `docs/TOPICS.md`: `python -m segwire.contracts.topics_page` brings it up to date.

The rest of that page is written by hand; a test fails when the table is stale.
"""

from pathlib import Path

from segwire.inspect.topics_text import render_markdown

PAGE = Path("docs/TOPICS.md")

_BEGIN = "<!-- topics: `python -m segwire.contracts.topics_page` -->\n"
_END = "<!-- end of topics -->\n"


def with_present_table(page: str) -> str:
    """Return the page with the table as the manifest is now."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    assert rest, f"{PAGE} lacks the line {_BEGIN}"
    assert rest.count(_END) == 1, f"{PAGE} lacks the line {_END}"
    return before + _BEGIN + _table() + _END + after


def _table() -> str:
    lines = render_markdown().partition("\n## ")[0].splitlines()
    return "".join(f"{line}\n" for line in lines if line.startswith("|"))


if __name__ == "__main__":
    PAGE.write_text(with_present_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
