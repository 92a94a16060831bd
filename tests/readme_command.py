"""Prints one of the README's two commands, so that what runs is what is printed there: `run` or `test`."""

import re
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
HEADINGS = {"run": "Run it", "test": "Test it"}


def command_of(readme: str, name: str) -> str:
    """Return the first fenced sh block below the heading of `name`.

    Raises:
        ValueError: the heading, or a block below it, is missing.
    """
    heading = f"## {HEADINGS[name]}"
    section = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    if section is None:
        raise ValueError(f"no heading {heading!r}; add it, with a fenced sh block that holds the command")
    block = re.search(r"^```sh\n(.+?)\n```$", section[1], re.MULTILINE | re.DOTALL)
    if block is None:
        raise ValueError(f"no fenced sh block below {heading!r}; add one that holds the command")
    return block[1]


def main() -> None:
    """Print the command that is named."""
    if len(sys.argv) != 2 or sys.argv[1] not in HEADINGS:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(HEADINGS)}")
    try:
        sys.stdout.write(command_of(README.read_text(encoding="utf-8"), sys.argv[1]) + "\n")
    except ValueError as error:
        sys.exit(f"{README.name}: {error}")


if __name__ == "__main__":
    main()
