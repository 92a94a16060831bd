"""`segwire explain`: what a user is in, and why."""

from pathlib import Path

import click
import msgspec

from runtime.errors import SegwireError
from segwire.cli.connection import connected_settings
from segwire.cli.options import config_option, data_dir_option, json_option, read_settings


@click.command(epilog="\b\nExample:\n  segwire explain 19393572368547369350319949416899715727 --json")
@click.argument("aam_uuid")
@config_option
@data_dir_option
@json_option
def command(aam_uuid: str, config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Tell what a user is in and, for each membership, when and why it changed, newest first.

    AAM_UUID is the user's ID digit for digit, leading zeros included. Exits 1 where the user is unknown.
    """
    from segwire.inspect.history import explain
    from segwire.inspect.history_text import format_history
    from segwire.inspect.output import until_pipe_closes
    from segwire.inspect.user_reader import read_user

    settings = connected_settings(read_settings(config, data_dir))
    user = explain(aam_uuid, read_user(settings.kafka, aam_uuid))
    if user is None:
        raise SegwireError(
            f"user {aam_uuid!r} is unknown: no membership of that ID is published; check it digit for digit (leading "
            "zeros count), and kafka.topic_prefix"
        )
    names = {key: segment.name for key, segment in settings.membership.segments.items() if segment.name}
    with until_pipe_closes():
        click.echo(msgspec.json.encode(user) if as_json else format_history(user, names))
