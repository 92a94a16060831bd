"""What a page of documentation shows: its fenced blocks, the marks on them, and the commands in them. Pure.

A `console` block is run as it is printed; a `sh` block says in a comment before it who runs it, or what it needs.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_SPAN = re.compile(r"`(segwire [^`\n]+)`")
_ELSEWHERE = re.compile(r"(?:run by|needs:) (?P<what>.+)")


class Block(NamedTuple):
    """A fenced block; `mark` is the comment on the line before it, or empty."""

    line: int
    mark: str
    language: str
    text: str


class Step(NamedTuple):
    """A command of a `console` block, and the lines that are printed below it."""

    command: str
    answer: list[str]


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page, from its top."""
    return [
        Block(page.count("\n", 0, found.start()) + 1, found["mark"] or "", found["language"], found["text"])
        for found in _FENCE.finditer(page)
    ]


def spans(page: str) -> list[str]:
    """Return the commands of ours that stand within lines."""
    return _SPAN.findall(_FENCE.sub("", page))


def steps(block: Block) -> list[Step]:
    """Return the commands of a `console` block: `$ ` begins one, `> ` goes on with it, all else is its answer.

    Raises:
        ValueError: something stands before the first command.
    """
    found: list[Step] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], []))
        elif not found:
            raise ValueError(f"line {block.line}: a console block begins with `$ ` and a command, not with {line!r}")
        elif line.startswith("> ") and not found[-1].answer:
            found[-1] = Step(f"{found[-1].command}\n{line[2:]}", [])
        else:
            found[-1].answer.append(line)
    return found


def run_by(block: Block) -> str | None:
    """Return which test is said to run a block, None where none is named."""
    return block.mark.removeprefix("run by ") if block.mark.startswith("run by ") else None


def unmarked(page: str) -> Iterator[str]:
    """Find shell commands that nobody runs, and of which nothing says why."""
    for block in blocks(page):
        if block.language in ("sh", "bash", "shell") and not _ELSEWHERE.fullmatch(block.mark):
            yield (
                f"{block.line}: a {block.language} block; make it `console`, which a test runs, or say in a comment on "
                "the line before it what it `needs:`, or which test it is `run by`"
            )


def unlike(answer: list[str], printed: str) -> str | None:
    """Return the first line of `answer` that was not printed, in this order; `…` stands for anything."""
    rest = iter(printed.splitlines())
    for line in answer:
        wanted = re.compile(".*".join(map(re.escape, line.strip().split("…"))))
        if not any(wanted.fullmatch(each.strip()) for each in rest):
            return line
    return None
