"""`segwire dead-letters`: look at what was set aside, and send it again."""

from pathlib import Path

import click
import msgspec

from segwire.cli.connection import connected_settings
from segwire.cli.dead_letters_options import filter_options, since_option_ms
from segwire.cli.dead_letters_redrive import redrive
from segwire.cli.options import config_option, data_dir_option, json_option, read_settings


@click.group(name="dead-letters")
def command() -> None:
    """Look at what was set aside, and send it again."""


command.add_command(redrive)


@command.command(
    name="list",
    epilog="\b\nExamples:\n  segwire dead-letters list --since 2h\n  segwire dead-letters list --stage fan-out --json",
)
@config_option
@data_dir_option
@filter_options
@json_option
def list_letters(
    config: Path | None,
    data_dir: Path | None,
    stage: str | None,
    error: str | None,
    source: str | None,
    since: str | None,
    as_json: bool,
) -> None:
    """List dead letters, oldest first."""
    from segwire.inspect.dead_letters import Wanted
    from segwire.inspect.dead_letters_reader import list_dead_letters
    from segwire.inspect.dead_letters_text import format_letters
    from segwire.inspect.output import until_pipe_closes

    settings = read_settings(config, data_dir)
    wanted = Wanted(stage=stage, error=error, source=source, since_ms=since_option_ms(since))
    letters = list_dead_letters(connected_settings(settings).kafka, wanted)
    with until_pipe_closes():
        if as_json:
            click.echo(msgspec.json.encode(letters))
        else:
            click.echo(format_letters(letters) if letters else "no dead letters")


@command.command(epilog="\b\nExample:\n  segwire dead-letters show 3-1234")
@click.argument("letter_id", metavar="ID")
@config_option
@data_dir_option
@json_option
def show(letter_id: str, config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Show one dead letter with the original message's bytes."""
    from segwire.inspect.dead_letters import content_encoding, parse_id, read_detail
    from segwire.inspect.dead_letters_reader import find_dead_letter, read_marks
    from segwire.inspect.dead_letters_text import format_detail
    from segwire.inspect.log_reader import LogReader
    from segwire.inspect.output import until_pipe_closes

    settings = read_settings(config, data_dir)
    partition, offset = parse_id(letter_id)
    kafka = connected_settings(settings).kafka
    message = find_dead_letter(kafka, partition, offset)
    detail = read_detail(message, read_marks(LogReader(kafka), kafka))
    with until_pipe_closes():
        click.echo(msgspec.json.encode(detail) if as_json else format_detail(detail, content_encoding(message)))
