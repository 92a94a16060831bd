"""`segwire sink`: one sink alone."""

from pathlib import Path

import click

from segwire.cli.options import config_option, data_dir_option, port_option, read_settings, ready_file_option

_EPILOG = """\b
Examples:
  segwire sink warehouse --config segwire.yaml
  segwire sink partner-a --port 9101
  segwire sink partner-a --backfill --segment 14356
"""


@click.command(name="sink", epilog=_EPILOG)
@click.argument("name")
@config_option
@data_dir_option
@port_option
@ready_file_option
@click.option("--backfill", "backfills", is_flag=True, help="Do not run it: deliver the present membership to it.")
@click.option("--segment", "segments", multiple=True, help="With --backfill: only this segment; repeatable.")
@click.option("--restart", is_flag=True, help="With --backfill: begin anew where one is under way.")
def command(
    name: str, config: Path | None, data_dir: Path | None, port: int | None, ready_file: Path | None, backfills: bool,
    segments: tuple[str, ...], restart: bool,
) -> None:  # fmt: skip
    """Run one configured sink or destination as it is deployed, or backfill it.

    A backfill goes on beside live changes and never delivers an older state after a newer one. Killed, and started
    again, it goes on where it was.
    """
    settings = read_settings(config, data_dir)
    if backfills:
        from segwire.cli.sink_backfill import backfill

        backfill(settings, name, segments, restart)
        return
    if segments or restart:
        raise click.UsageError("--segment and --restart go with --backfill")
    from sinks.app import run_sink

    run_sink(settings if port is None else settings.with_sink_ports({name: port}), name, ready_file)
