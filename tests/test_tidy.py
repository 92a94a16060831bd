"""Holds the style on every tracked file, and holds the checks themselves: each is shown what it must find."""

import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
import pytest

from segwire.cli.main import COMMANDS, LazyGroup, cli
from tests.support import tidy

ROOT = Path(__file__).parent.parent
FILE_LINES_MAX = 400
TEST_FILE_LINES_MAX = 500

# What the wall clock is for, where no Clock can be handed in.
WALL_CLOCK_ALLOWED = {
    "runtime/clock.py": "it is the clock",
    "segwire/embedded/data_lock.py": "tells a person since when a process holds the directory",
}
PRINTS_ALLOWED = ("segwire/cli/", "benchmarks/", "tests/")
# They name what they look for.
WORDS_ALLOWED = {"tests/support/tidy.py", "tests/test_tidy.py"}

Rule = Callable[[str], Iterable[str]]


def tracked(*patterns: str) -> list[str]:
    """Return the tracked files that match, and that are still there."""
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def findings(rule: Rule, names: Iterable[str]) -> list[str]:
    return [f"{name}:{finding}" for name in names for finding in rule(read(name))]


PYTHON = tracked("*.py")
OURS = [name for name in PYTHON if not name.startswith(("tests/", "benchmarks/"))]


def test_there_are_files_to_look_at() -> None:
    assert len(OURS) > 100
    assert len(PYTHON) > len(OURS) + 50


def test_files_are_short() -> None:
    limits = {name: TEST_FILE_LINES_MAX if name.startswith("tests/") else FILE_LINES_MAX for name in PYTHON}
    lines = {name: len(read(name).splitlines()) for name in PYTHON}
    assert {name: count for name, count in lines.items() if count > limits[name]} == {}


def test_functions_are_short() -> None:
    assert findings(tidy.long_functions, PYTHON) == []


def test_time_is_an_argument() -> None:
    assert findings(tidy.wall_clock_reads, [name for name in OURS if name not in WALL_CLOCK_ALLOWED]) == []


@pytest.mark.parametrize("name", WALL_CLOCK_ALLOWED)
def test_exceptions_from_the_clock_are_needed(name: str) -> None:
    assert findings(tidy.wall_clock_reads, [name])


def test_only_commands_print() -> None:
    assert findings(tidy.prints, [name for name in PYTHON if not name.startswith(PRINTS_ALLOWED)]) == []


def test_imports_are_absolute() -> None:
    assert findings(tidy.relative_imports, PYTHON) == []


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    assert findings(tidy.more_than_a_docstring, tracked("*__init__.py")) == []


def test_metrics_are_declared_in_one_module() -> None:
    assert findings(tidy.metric_imports, [name for name in OURS if name != "runtime/metrics.py"]) == []


def test_every_declared_metric_is_used() -> None:
    declared = tidy.declared_metrics(read("runtime/metrics.py"))
    used = set[str]().union(*(tidy.used_names(read(name)) for name in OURS if name != "runtime/metrics.py"))
    assert len(declared) > 10
    assert [name for name in declared if name not in used] == []


def test_the_project_speaks_of_itself_alone() -> None:
    binary = (".png", ".jar", ".gz")
    names = [name for name in tracked() if name not in WORDS_ALLOWED and not name.endswith(binary)]
    assert findings(tidy.foreign_words, names) == []


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with its whole name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def test_every_command_has_an_example_of_itself_in_its_help() -> None:
    assert isinstance(cli, LazyGroup)
    found = dict(commands(cli, "segwire"))
    assert len(found) > len(COMMANDS)
    without = [
        name
        for name, command in found.items()
        if f" {name}" not in command.get_help(click.Context(command)).partition("Example")[2]
    ]
    assert without == []


@pytest.mark.parametrize("name", tracked("*.md"))
def test_links_lead_somewhere(name: str) -> None:
    targets = [(ROOT / name).parent / link for link in tidy.relative_links(read(name))]
    assert [str(target) for target in targets if not target.exists()] == []


def test_unit_tests_mirror_the_folders() -> None:
    folders = {Path(name).parent.relative_to("tests/unit") for name in tracked("tests/unit/*.py")}
    assert len(folders) > 5
    assert [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()] == []


def test_test_folders_are_no_packages() -> None:
    assert tracked("tests/*__init__.py") == []


def test_pins_agree_with_each_other() -> None:
    """`make pins` was run, and as it is now: what a service needs is pinned alike wherever it is installed."""
    service, local, dev = (
        {line for line in read(f"requirements/{name}.txt").splitlines() if "==" in line}
        for name in ("service", "local", "dev")
    )
    assert sorted(service - local) == []
    assert sorted(local - dev) == []


LONG = "def long() -> None:\n" + "    pass\n" * tidy.FUNCTION_LINES_MAX


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        (tidy.long_functions, LONG),
        (tidy.long_functions, "class A:\n    async " + LONG.replace("\n", "\n    ")),
        (tidy.wall_clock_reads, "now = time.time()"),
        (tidy.wall_clock_reads, "now = datetime.now(UTC)"),
        (tidy.wall_clock_reads, "now = time.time_ns() // 1_000_000"),
        (tidy.prints, "if True:\n    print('here')"),
        (tidy.relative_imports, "from .post import Post"),
        (tidy.relative_imports, "from . import post"),
        (tidy.more_than_a_docstring, ""),
        (tidy.more_than_a_docstring, '"""Ours."""\nfrom schemas import post\n'),
        (tidy.metric_imports, "from prometheus_client import REGISTRY, Counter"),
        (tidy.foreign_words, "as the agent said"),
        (tidy.foreign_words, "left over from an earlier session"),
        (tidy.foreign_words, "the rest comes with issue 4"),
        (tidy.foreign_words, "cd /" + "work/main"),
        (tidy.foreign_words, "pip config set global.index-url https://pypi.example.org/" + "simple"),
    ],
)
def test_check_finds_what_is_wrong(rule: Rule, bad: str) -> None:
    assert list(rule(bad))


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        (tidy.long_functions, LONG.removesuffix("    pass\n")),
        (tidy.wall_clock_reads, "began_s = time.monotonic(); updated_time.timer()"),
        (tidy.prints, "console.print('here')\nself._print('there')"),
        (tidy.relative_imports, "from schemas.post import Post"),
        (tidy.more_than_a_docstring, '"""Ours."""\n'),
        (tidy.metric_imports, "from prometheus_client import generate_latest\nfrom collections import Counter"),
        (tidy.foreign_words, '{"User-Agent": "segwire"}, aiohttp.ClientSession, scope="session", session.timeout.ms'),
        # With bars, so that who searches the sources for such places finds none here.
        (
            tidy.foreign_words,
            "data in |tmp|segwire and .|work|x, framework|root|x, see https:||kafka.apache.org|".replace("|", "/"),
        ),
    ],
)
def test_check_finds_nothing_wrong_where_nothing_is(rule: Rule, good: str) -> None:
    assert list(rule(good)) == []


def test_metrics_and_uses_are_recognised() -> None:
    source = 'A = Counter("a", "A.")\nB = Gauge("b", "B.", ["x"])\nC = 3\n_LATENCY = (1, 2)\n'
    assert tidy.declared_metrics(source) == ["A", "B"]
    assert {"A", "inc", "B"} <= tidy.used_names("metrics.A.inc()\nB.set(1)\n")


def test_links_are_recognised() -> None:
    markdown = "See [a](docs/A.md#part), [b](https://example.org/x) and [c](#here), ![d](d.png)."
    assert list(tidy.relative_links(markdown)) == ["docs/A.md"]
