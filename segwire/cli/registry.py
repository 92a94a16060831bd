"""`segwire registry`: the embedded schema registry alone."""

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from segwire.cli.options import config_option, data_dir_option, read_settings, ready_file_option

if TYPE_CHECKING:
    from segwire.embedded.registry.server import EmbeddedRegistry

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

    from runtime.service import write_ready_file
    from segwire.embedded.kafka.progress import ConsoleProgress
    from segwire.embedded.registry.server import EmbeddedRegistry

    settings = read_settings(config, data_dir)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)  # one of an earlier run would say too much
    progress = ConsoleProgress(Console(stderr=True))
    registry = EmbeddedRegistry(Path(settings.data_dir), port=port, progress=progress)
    for number in (signal.SIGTERM, signal.SIGINT):  # a start takes long, and is to be heard in too
        signal.signal(number, _interrupt)
    try:
        registry.start()
        click.echo(f"Schema registry: {registry.url}")
        if ready_file is not None:
            write_ready_file(ready_file, {"registry": registry.url}, settings.kafka.bootstrap_servers or "")
        _watch(registry)
    except KeyboardInterrupt:
        progress.say("Stopping the schema registry")
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave it half stopped
        registry.stop()


def _watch(registry: "EmbeddedRegistry") -> None:
    while registry.poll() is None:
        time.sleep(_POLL_S)
    raise registry.died()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
