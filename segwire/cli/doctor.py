"""`segwire doctor`: is everything as it must be?"""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from runtime.clock import SystemClock
from runtime.errors import ConfigurationError
from segwire.cli.connection import connected_settings
from segwire.cli.options import config_option, data_dir_option, json_option, read_settings
from segwire.inspect.doctor.finding import Finding, exit_code, format_finding


@click.command(epilog="\b\nExample:\n  segwire doctor --config segwire.yaml")
@config_option
@data_dir_option
@json_option
@click.pass_context
def command(ctx: click.Context, config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Check configuration, disk, schemas, Kafka, topics, records, consumer groups and clocks.

    Every failure says its remedy. Exits 0 where all is fine, 1 on a finding, 2 where the configuration is wrong.
    """
    from segwire.inspect.output import until_pipe_closes

    findings = []
    for finding in _examine(config, data_dir):
        findings.append(finding)
        if not as_json:
            with until_pipe_closes():
                click.echo(format_finding(finding))
    if as_json:
        with until_pipe_closes():
            click.echo(msgspec.json.encode(findings))
    configured = all(finding.ok is not False for finding in findings if finding.check == "configuration")
    ctx.exit(exit_code(findings, configured=configured))


def _examine(config: Path | None, data_dir: Path | None) -> Iterator[Finding]:
    from segwire.inspect.doctor.examination import examine_kafka, examine_machine, wrong_configuration

    try:
        settings = read_settings(config, data_dir)
    except ConfigurationError as error:
        yield wrong_configuration(error)
        return
    try:
        connected = connected_settings(settings)
    except ConfigurationError as error:
        yield wrong_configuration(error)
        yield from examine_machine(settings)
        return
    yield Finding("configuration", ok=True, value=f"valid; Kafka at {connected.kafka.bootstrap_servers}")
    yield from examine_machine(connected)
    yield from examine_kafka(connected, SystemClock())
