"""`segwire sink`: one sink alone."""

from pathlib import Path

import click

from segwire.cli.options import config_option, data_dir_option, port_option, read_settings, ready_file_option

_EPILOG = """\b
Examples:
  segwire sink warehouse --config segwire.yaml
  segwire sink partner-a --port 9101
"""


@click.command(name="sink", epilog=_EPILOG)
@click.argument("name")
@config_option
@data_dir_option
@port_option
@ready_file_option
def command(name: str, config: Path | None, data_dir: Path | None, port: int | None, ready_file: Path | None) -> None:
    """Run one configured sink or destination as it is deployed."""
    from sinks.app import run_sink

    settings = read_settings(config, data_dir)
    run_sink(settings if port is None else settings.with_sink_ports({name: port}), name, ready_file)
