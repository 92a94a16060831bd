"""`segwire postgres`: the embedded PostgreSQL alone."""

from pathlib import Path

import click

from segwire.cli.options import config_option, data_dir_option, read_settings, ready_file_option

_POLL_S = 0.2
_EPILOG = "\b\nExamples:\n  segwire postgres\n  psql $(cat .segwire/postgres/dsn) -c 'SELECT * FROM segment_size'"


@click.command(name="postgres", epilog=_EPILOG)
@config_option
@data_dir_option
@ready_file_option
@click.option("--testcontainers", is_flag=True, help="In a container; its data end with it.")
def command(config: Path | None, data_dir: Path | None, ready_file: Path | None, testcontainers: bool) -> None:
    """Run a real PostgreSQL on this machine, until Ctrl-C.

    It listens on a Unix socket alone, below the data directory, where its data stay for the next start. In a container
    it listens on a port of 127.0.0.1, with a password; the connection string is in postgres/dsn either way.
    """
    from runtime.service import StopSignal, write_ready_file
    from segwire.embedded.postgres.container import TestcontainersPostgres
    from segwire.embedded.postgres.server import EmbeddedPostgres

    settings = read_settings(config, data_dir)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)  # one of an earlier run would say too much
    stop = StopSignal()
    stop.install()
    where = Path(settings.data_dir)
    with TestcontainersPostgres(where) if testcontainers else EmbeddedPostgres(where) as server:
        click.echo(f"PostgreSQL: {server.dsn}")
        if ready_file is not None:
            write_ready_file(ready_file, {"postgres": server.dsn}, settings.kafka.bootstrap_servers or "")
        while not stop.wait(_POLL_S):
            if server.poll() is not None:
                raise server.died()
