"""`segwire up`: the whole pipeline on this machine."""

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

_EPILOG = """\b
Examples:
  segwire up --demo
  segwire up --demo --with postgres,registry
  segwire up --kafka broker-1:9092,broker-2:9092 --config segwire.yaml
  segwire up --no-ui --port 0 --ready-file ready.json --data-dir /tmp/segwire
"""


@click.command(epilog=_EPILOG)
@config_option
@data_dir_option
@port_option
@ready_file_option
@click.option("--kafka", metavar="HOST:PORT[,…]|testcontainers", help="Use this Kafka instead of the embedded one.")
@click.option(
    "--with",
    "servers",
    metavar="SERVER[,…]",
    default="",
    help="Also run these: postgres (with a sink), or that as postgres:testcontainers; registry (of schemas).",
)
@click.option("--ui/--no-ui", default=True, help="A live table on a terminal, or plain lines.")
@click.option("--demo", is_flag=True, help="Play the sample messages, then gentle traffic.")
def command(
    config: Path | None,
    data_dir: Path | None,
    port: int | None,
    ready_file: Path | None,
    kafka: str | None,
    servers: str,
    ui: bool,
    demo: bool,
) -> None:
    """Run the whole pipeline on this machine: Kafka, topics, ingest, fan-out, membership, configured sinks.

    Ctrl-C or SIGTERM drains and stops everything; a second start on the same --data-dir goes on where it was.
    """
    from segwire.up.run import UpOptions, run
    from segwire.up.with_postgres import POSTGRES, POSTGRES_CONTAINER, add_postgres, parse_servers
    from segwire.up.with_registry import REGISTRY, check_no_registry

    settings = read_settings(config, data_dir)
    wanted = parse_servers(servers)
    container = POSTGRES_CONTAINER in wanted
    postgres, registry = POSTGRES in wanted or container, REGISTRY in wanted
    if registry:
        check_no_registry(settings)
    settings = with_ports(add_postgres(settings, container=container) if postgres else settings, port)
    options = UpOptions(
        config=config, ready_file=ready_file, kafka=kafka, ui=ui, demo=demo, any_port=port == 0,
        postgres=postgres, postgres_container=container, registry=registry,
    )  # fmt: skip
    run(settings, options)
