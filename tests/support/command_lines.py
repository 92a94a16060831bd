"""Whether a command line is one that `segwire` takes, found out without running it."""

import shlex
from collections.abc import Iterator
from itertools import dropwhile

import click

from segwire.cli.main import cli
from tests.support.documented import Block, steps

_ENDS = set("|&;()<>")


def command_lines(block: Block) -> Iterator[list[str]]:
    """Yield the words after `segwire` of each command of ours in a block of shell commands."""
    text = "\n".join(step.command for step in steps(block)) if block.language == "console" else block.text
    for line in text.replace("\\\n", " ").splitlines():
        yield from ours(line)


def ours(line: str) -> Iterator[list[str]]:
    """Yield the words after `segwire` of each command of ours in a line: by its name or path, also within a pod."""
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        every = list(lexer)
    except ValueError:  # part of a document that is fed to a command
        return
    found: list[list[str]] = [[]]
    for word in every:
        if set(word) <= _ENDS:
            found.append([])
        else:
            found[-1].append(word)
    for words in map(_without_what_leads_to_it, found):
        if words and words[0].rpartition("/")[2] == "segwire":
            yield words[1:]


def _without_what_leads_to_it(command: list[str]) -> list[str]:
    if "--" in command:
        return command[command.index("--") + 1 :]
    return list(dropwhile(lambda word: "=" in word and not word.startswith("-"), command))


def fault(words: list[str]) -> str | None:
    """Return why `segwire` refuses these words, None where it takes them."""
    try:
        _parse(cli, "segwire", [word for word in words if word != "--help"], None)
    except click.ClickException as error:
        return f"segwire {shlex.join(words)}: {error.format_message()}"
    return None


def _parse(command: click.Command, name: str, words: list[str], parent: click.Context | None) -> None:
    context = command.make_context(name, words, parent=parent)
    if isinstance(command, click.Group):
        words = [*context._protected_args, *context.args]
        found, inner, rest = command.resolve_command(context, words)
        if inner is not None:
            _parse(inner, found or "", rest, context)


def unknown(span: str) -> str | None:
    """Return what there is not of a command that is only named, with some of its options; None where all is."""
    words = span.split()[1:]
    command: click.Command = cli
    while isinstance(command, click.Group) and words:
        inner = command.get_command(click.Context(command), words[0])
        if inner is None:
            return f"`{span}`: there is no command {words[0]!r}"
        command = inner
        words.pop(0)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    strange = [word for word in words if word.startswith("--") and word.strip("[]") not in known]
    return f"`{span}`: there is no option {strange[0]!r}" if strange else None
