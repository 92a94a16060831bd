"""`segwire ingest`: the HTTP endpoint alone."""

from pathlib import Path

import click

from segwire.cli.options import (
    config_option,
    data_dir_option,
    port_option,
    read_settings,
    ready_file_option,
    with_ports,
)


@click.command(epilog="\b\nExample:\n  SEGWIRE_KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:19092 segwire ingest --port 8080")
@config_option
@data_dir_option
@port_option
@ready_file_option
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Processes that share the port [default: ingest.workers, 1]."
)
def command(
    config: Path | None, data_dir: Path | None, port: int | None, ready_file: Path | None, workers: int | None
) -> None:
    """Run the HTTP endpoint: POST /v1/aam/{source}, answered 200 when Kafka or the spool has it."""
    settings = with_ports(read_settings(config, data_dir), port)
    workers = workers or settings.ingest.workers
    if workers == 1:
        from ingest.app import run

        run(settings, ready_file)
    else:
        from ingest.workers import run_workers

        run_workers(settings, ready_file, workers)
