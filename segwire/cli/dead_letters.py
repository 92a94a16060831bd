"""`segwire dead-letters`: look at what was set aside."""

from pathlib import Path

import click
import msgspec

from runtime.clock import SystemClock
from segwire.cli.connection import connected_settings
from segwire.cli.options import config_option, data_dir_option, json_option, read_settings


@click.group(name="dead-letters")
def command() -> None:
    """Look at what was set aside."""


@command.command(
    name="list",
    epilog="\b\nExamples:\n  segwire dead-letters list --since 2h\n  segwire dead-letters list --stage fan-out --json",
)
@config_option
@data_dir_option
@click.option("--stage", help="Only of this stage: ingest, fan-out, membership or sink:NAME.")
@click.option("--error", help="Only of this class of error.")
@click.option("--source", help="Only of this sending account.")
@click.option("--since", help="Only from then on: a duration back from now (90s, 15m, 2h, 7d) or a time.")
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
    from segwire.inspect.times import parse_since_ms

    settings = read_settings(config, data_dir)
    since_ms = None if since is None else parse_since_ms(since, SystemClock().now_ms())
    wanted = Wanted(stage=stage, error=error, source=source, since_ms=since_ms)
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
    from segwire.inspect.dead_letters_reader import find_dead_letter
    from segwire.inspect.dead_letters_text import format_detail
    from segwire.inspect.output import until_pipe_closes

    settings = read_settings(config, data_dir)
    partition, offset = parse_id(letter_id)
    message = find_dead_letter(connected_settings(settings).kafka, partition, offset)
    detail = read_detail(message)
    with until_pipe_closes():
        click.echo(msgspec.json.encode(detail) if as_json else format_detail(detail, content_encoding(message)))
