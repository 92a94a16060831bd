"""`segwire receipts`: what was delivered, to whom, under which identifier."""

from contextlib import AbstractContextManager
from pathlib import Path

import click
import msgspec

from runtime.clock import SystemClock
from runtime.errors import SegwireError
from segwire.cli.connection import connected_settings
from segwire.cli.options import config_option, data_dir_option, json_option, read_settings

_EPILOG = """\b
Examples:
  segwire receipts --aam-uuid 19393572368547369350319949416899715727
  segwire receipts --dpid 20915 --partner-uuid EA7583CD-A667-48BC-B806-42ECB2B48606 --destination partner-a --json
"""


@click.command(epilog=_EPILOG)
@config_option
@data_dir_option
@click.option("--aam-uuid", help="The user's Audience Manager UUID, digit for digit.")
@click.option("--dpid", type=click.IntRange(0), help="The data source of the partner ID.")
@click.option("--partner-uuid", help="The partner's ID or device ID of the user.")
@click.option("--destination", help="Only of this destination.")
@click.option("--since", help="Only from then on: a duration back from now (90s, 15m, 2h, 7d) or a time.")
@json_option
def command(
    config: Path | None, data_dir: Path | None, aam_uuid: str | None, dpid: int | None, partner_uuid: str | None,
    destination: str | None, since: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Tell what each destination was told of a user: was the removal delivered?

    One line for each identifier at each destination, with the last status that it acknowledged for each segment. By
    --partner-uuid the whole topic is read, as receipts are kept by user. Exits 1 where there is none.
    """
    if not (aam_uuid or partner_uuid):
        raise click.UsageError("name a user: --aam-uuid UUID, or --partner-uuid ID, best with its --dpid")
    if dpid is not None and not partner_uuid:
        raise click.UsageError("--dpid goes with --partner-uuid")

    from rich.console import Console

    from segwire.inspect.output import until_pipe_closes
    from segwire.inspect.progress import TellOf, progress
    from segwire.inspect.receipts import Wanted
    from segwire.inspect.receipts_reader import read_receipts
    from segwire.inspect.receipts_text import format_delivered
    from segwire.inspect.times import parse_since_ms

    clock = SystemClock()
    since_ms = None if since is None else parse_since_ms(since, clock.now_ms())
    kafka = connected_settings(read_settings(config, data_dir)).kafka

    def show(doing: str, total: int) -> AbstractContextManager[TellOf]:
        return progress(Console(stderr=True), clock, doing, total)

    found = read_receipts(kafka, Wanted(aam_uuid, partner_uuid, dpid, destination), since_ms, show)
    if not found:
        raise SegwireError(
            f"there is no receipt for {aam_uuid or partner_uuid!r}: nothing was sent, or it is past its retention; "
            "check the ID digit for digit, the --destination, and kafka.topic_prefix"
        )
    with until_pipe_closes():
        click.echo(msgspec.json.encode(found) if as_json else format_delivered(found))
