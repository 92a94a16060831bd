"""`segwire process`: one processor alone."""

from pathlib import Path

import click

from runtime.settings import Settings
from segwire.cli.options import config_option, data_dir_option, port_option, read_settings, ready_file_option


@click.group(name="process")
def command() -> None:
    """Run one processor as it is deployed."""


def _with_port(settings: Settings, section: str, port: int | None) -> Settings:
    if port is None:
        return settings
    return settings.model_copy(
        update={section: getattr(settings, section).model_copy(update={"management_port": port})}
    )


@command.command(name="fan-out", epilog="\b\nExample:\n  segwire process fan-out --config segwire.yaml")
@config_option
@data_dir_option
@port_option
@ready_file_option
def fan_out(config: Path | None, data_dir: Path | None, port: int | None, ready_file: Path | None) -> None:
    """Turn each POST into one event per user."""
    from processors.app import run_fan_out

    run_fan_out(_with_port(read_settings(config, data_dir), "fan_out", port), ready_file)


@command.command(name="membership", epilog="\b\nExample:\n  segwire process membership --config segwire.yaml")
@config_option
@data_dir_option
@port_option
@ready_file_option
def membership(config: Path | None, data_dir: Path | None, port: int | None, ready_file: Path | None) -> None:
    """Keep each user's memberships and publish what changes."""
    from processors.app import run_membership

    run_membership(_with_port(read_settings(config, data_dir), "membership", port), ready_file)
