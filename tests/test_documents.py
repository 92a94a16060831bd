"""Every command that a page shows is run by a test, or says what it needs; and ours are commands that we take."""

from pathlib import Path

import pytest

from tests.support.command_lines import command_lines, fault, ours, unknown
from tests.support.documented import Block, Step, blocks, run_by, spans, steps, unlike, unmarked
from tests.test_tidy import read, tracked

ROOT = Path(__file__).parent.parent
PAGES = tracked("*.md")


@pytest.mark.parametrize("name", PAGES)
def test_shell_commands_are_run_by_a_test_or_say_what_they_need(name: str) -> None:
    assert list(unmarked(read(name))) == []
    tests = [test for block in blocks(read(name)) if (test := run_by(block)) is not None]
    assert [test for test in tests if not (ROOT / test).is_file()] == []


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_ours_are_commands_that_we_take(name: str) -> None:
    page = read(name)
    shell = [block for block in blocks(page) if block.language in ("sh", "bash", "shell", "console")]
    lines = [words for block in shell for words in command_lines(block)]
    faults = [*map(fault, lines), *map(unknown, spans(page))]
    assert [each for each in faults if each is not None] == []


def test_the_pages_have_commands() -> None:
    found = [block.language for name in PAGES for block in blocks(read(name))]
    assert found.count("console") > 5
    assert found.count("sh") > 5


def test_blocks_are_found_with_their_marks() -> None:
    page = "Text.\n\n<!-- needs: a cluster -->\n```sh\nkubectl get pods\n```\n\n```python\nprint()\n```\n"
    assert blocks(page) == [
        Block(3, "needs: a cluster", "sh", "kubectl get pods\n"),
        Block(8, "", "python", "print()\n"),
    ]


def test_commands_are_told_from_what_they_answer() -> None:
    text = "$ cat > a <<END\n> {}\n> END\n$ cat a\n{}\n> more\n"
    assert steps(Block(1, "", "console", text)) == [Step("cat > a <<END\n{}\nEND", []), Step("cat a", ["{}", "> more"])]


def test_an_answer_without_a_command_is_named() -> None:
    with pytest.raises(ValueError, match="line 7: a console block begins with"):
        steps(Block(7, "", "console", "{}\n"))


@pytest.mark.parametrize(
    ("block", "found"),
    [("```sh\nls\n```\n", 1), ("<!-- needs: x -->\n```sh\nls\n```\n", 0), ("```console\n$ ls\n```\n", 0)],
)
def test_a_block_that_nobody_runs_is_found(block: str, found: int) -> None:
    assert len(list(unmarked(block))) == found


@pytest.mark.parametrize(
    ("answer", "missing"),
    [(["a", "c"], None), (["a…", "…c"], None), (["c", "a"], "a"), (["ab"], "ab"), (["b… 3"], None), (["b… 4"], "b… 4")],
)
def test_an_answer_is_compared_line_by_line(answer: list[str], missing: str | None) -> None:
    assert unlike(answer, "a\n  b is 3\nc\n") == missing


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("segwire up --demo", [["up", "--demo"]]),
        (".venv/bin/segwire doctor | grep x && segwire explain 1", [["doctor"], ["explain", "1"]]),
        ("SEGWIRE_A__B=x segwire doctor", [["doctor"]]),
        ("kubectl exec segwire-fan-out-0 -- segwire doctor", [["doctor"]]),
        ("helm install segwire deploy/helm/segwire", []),
        ("cd segwire", []),
        ('{"a": "it\'s', []),
    ],
)
def test_our_commands_are_found_in_a_line(line: str, found: list[list[str]]) -> None:
    assert list(ours(line)) == found


@pytest.mark.parametrize(
    "words",
    [
        ["up", "--demoo"],
        ["topics"],
        ["topics", "rendr"],
        ["topics", "render", "--format", "yaml"],
        ["explain"],
        ["dead-letters", "redrive", "--rate"],
        ["nothing"],
    ],
)
def test_a_command_that_we_refuse_is_found(words: list[str]) -> None:
    assert fault(words) is not None


@pytest.mark.parametrize("words", [["up", "--demo"], ["topics", "read", "x", "--limit", "1"], ["explain", "--help"]])
def test_a_command_that_we_take_is_taken(words: list[str]) -> None:
    if "--help" in words:
        words = [*words, "1"]
    assert fault(words) is None


@pytest.mark.parametrize(
    ("span", "good"),
    [
        ("segwire sink NAME --backfill [--segment …]", True),
        ("segwire topics render --format asyncapi|strimzi", True),
        ("segwire topics paint", False),
        ("segwire explain --why", False),
    ],
)
def test_a_command_that_is_named_is_there(span: str, good: bool) -> None:
    assert (unknown(span) is None) == good
