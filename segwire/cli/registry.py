"""`segwire registry`: the embedded schema registry alone."""

from pathlib import Path

import click

from segwire.cli.options import config_option, data_dir_option, read_settings, ready_file_option

_POLL_S = 0.2
_EPILOG = (
    "\b\nExamples:\n  segwire registry\n"
    "  SEGWIRE_SCHEMA_REGISTRY__URL=http://127.0.0.1:19081/apis/ccompat/v7 segwire topics apply"
)


@click.command(name="registry", epilog=_EPILOG)
@config_option
@data_dir_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port for clients; 0 picks a free one [default: the last start's, else a free one from 19081].",
)
@ready_file_option
def command(config: Path | None, data_dir: Path | None, port: int | None, ready_file: Path | None) -> None:
    """Run a real schema registry on this machine, until Ctrl-C.

    Apicurio Registry without Docker, on loopback only; it speaks the API that Confluent's registry has. The first
    start downloads 159 MB into a cache that all projects share; schemas and their IDs stay below the data directory.
    """
    from rich.console import Console

    from runtime.service import StopSignal, write_ready_file
    from segwire.embedded.kafka.progress import ConsoleProgress
    from segwire.embedded.registry.server import EmbeddedRegistry

    settings = read_settings(config, data_dir)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)  # one of an earlier run would say too much
    stop = StopSignal()
    stop.install()
    registry = EmbeddedRegistry(Path(settings.data_dir), port=port, progress=ConsoleProgress(Console(stderr=True)))
    with registry:
        click.echo(f"Schema registry: {registry.url}")
        if ready_file is not None:
            write_ready_file(ready_file, {"registry": registry.url}, settings.kafka.bootstrap_servers or "")
        while not stop.wait(_POLL_S):
            if registry.poll() is not None:
                raise registry.died()
