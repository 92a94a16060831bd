"""Every command that a page shows is run by a test, or says what it needs; and ours are commands that we take."""

import re
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from processors.rules import state_codec
from runtime import metrics
from runtime.loop_histogram import LoopHistogram
from tests.support.command_lines import command_lines, fault, ours, unknown
from tests.support.documented import Block, Step, blocks, run_by, spans, steps, unlike, unmarked
from tests.test_tidy import read, tracked

ROOT = Path(__file__).parent.parent
PAGES = tracked("*.md")

_METRIC = re.compile(r"\bsegwire_(?:ingest|processor|membership|sink|outbound|visible)_[a-z_]*[a-z]\b(?![*…])")


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


def test_metrics_that_are_named_are_declared() -> None:
    values = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase | LoopHistogram)]
    declared = {family.name for value in values for family in value.collect()}
    # Tables of the PostgreSQL sink.
    known = {"segwire_sink_offset", "segwire_sink_refusal", "segwire_sink_migration"} | declared
    ends = ("", "_total", "_bucket", "_sum", "_count")
    wrong = {
        (name, metric)
        for name in PAGES
        for metric in _METRIC.findall(read(name))
        if not any(metric.removesuffix(end) in known for end in ends)
    }
    assert len(declared) > 10
    assert wrong == set()


def test_upgrades_are_told_of_with_the_present_format_of_the_state() -> None:
    (line,) = [line for line in read("docs/OPERATIONS.md").splitlines() if line.startswith("| membership state,")]
    versions = range(1, state_codec.VERSION[0] + 1)
    assert line.split("|")[2:4] == [f" {versions[-1]} ", f" {', '.join(map(str, versions))} "]


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
