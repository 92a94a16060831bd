"""`segwire kafka`: the embedded Kafka alone."""

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from segwire.cli.options import config_option, data_dir_option, read_settings, ready_file_option

if TYPE_CHECKING:
    from segwire.embedded.kafka.server import EmbeddedKafka

POLL_S = 0.1


@click.command(
    name="kafka",
    epilog="\b\nExamples:\n  segwire kafka\n  segwire kafka --data-dir /tmp/try --port 0 --ready-file /tmp/try.json",
)
@config_option
@data_dir_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port for clients; 0 picks a free one [default: the last start's, else a free one from 19092].",
)
@ready_file_option
def command(config: Path | None, data_dir: Path | None, port: int | None, ready_file: Path | None) -> None:
    """Run a real Kafka on this machine, until Ctrl-C.

    One broker without Docker, on loopback only. The first start downloads 45 MB into a cache that all projects
    share; data stay below the data directory, and the next start goes on with them.
    """
    from rich.console import Console

    from runtime.service import write_ready_file
    from segwire.embedded.kafka.progress import ConsoleProgress
    from segwire.embedded.kafka.server import EmbeddedKafka

    settings = read_settings(config, data_dir)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)  # one of an earlier run would say too much
    progress = ConsoleProgress(Console(stderr=True))
    kafka = EmbeddedKafka(Path(settings.data_dir), port=port, progress=progress)
    for number in (signal.SIGTERM, signal.SIGINT):  # also where a shell starts it in the background, deaf to Ctrl-C
        signal.signal(number, _interrupt)
    try:
        kafka.start()
        click.echo(f"Kafka: {kafka.bootstrap_servers}")
        if ready_file is not None:
            write_ready_file(ready_file, {}, kafka.bootstrap_servers)
        _watch(kafka)
    except KeyboardInterrupt:
        progress.say("Stopping Kafka")
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave a broker half stopped
        kafka.stop()


def _watch(kafka: "EmbeddedKafka") -> None:
    while kafka.poll() is None:
        time.sleep(POLL_S)
    raise kafka.died()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
