"""The README's commands are found, and what makes them unfindable is named."""

import pytest

from tests.readme_command import README, command_of


@pytest.mark.parametrize(("name", "command"), [("run", "make run"), ("test", "make test")])
def test_readme_has_both_commands(name: str, command: str) -> None:
    assert command_of(README.read_text(encoding="utf-8"), name) == command


def test_a_command_of_several_lines_is_kept_whole() -> None:
    assert (
        command_of("# A\n\n## Test it\n\nSo:\n\n```sh\nmake setup\nmake test\n```\n", "test") == "make setup\nmake test"
    )


def test_a_block_below_the_next_heading_is_not_taken() -> None:
    with pytest.raises(ValueError, match="no fenced sh block below '## Test it'"):
        command_of("## Test it\n\nLater.\n\n## More\n\n```sh\nrm -r x\n```\n", "test")


def test_a_missing_heading_is_named() -> None:
    with pytest.raises(ValueError, match="no heading '## Run it'"):
        command_of("## Test it\n", "run")
