"""`segwire sink`: one sink alone."""

from pathlib import Path

import click

from runtime.settings import Settings
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

    run_sink(_with_port(read_settings(config, data_dir), name, port), name, ready_file)


def _with_port(settings: Settings, name: str, port: int | None) -> Settings:
    if port is None:
        return settings
    changed = {}
    for kind in ("sinks", "destinations"):
        sections = getattr(settings, kind)
        if name in sections:
            changed[kind] = {**sections, name: sections[name].model_copy(update={"management_port": port})}
    return settings.model_copy(update=changed)
