"""Options that several commands share, and what they mean for the configuration."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from runtime.settings import Settings
from runtime.settings_loader import load_settings

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

config_option: Decorator = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Configuration file [default: segwire.yaml, else built-in defaults].",
)
data_dir_option: Decorator = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where this machine's data is [default: .segwire].",
)
port_option: Decorator = click.option(
    "--port", type=click.IntRange(0, 65535), help="First port to listen on; 0 picks free ports for all."
)
ready_file_option: Decorator = click.option(
    "--ready-file", type=click.Path(path_type=Path, dir_okay=False), help="Written, whole, when the service is ready."
)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def read_settings(config: Path | None, data_dir: Path | None) -> Settings:
    """Read the whole configuration; `--data-dir` wins over it.

    Raises:
        ConfigurationError: with every finding.
    """
    settings = load_settings(config, os.environ)
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": str(data_dir)})
    return settings


def with_ports(settings: Settings, port: int | None) -> Settings:
    """Number the ports from `--port` on: ingest, its management, fan-out's, membership's, the sinks'; 0: free ones."""
    if port is None:
        return settings
    step = 0 if port == 0 else 1
    sections = {
        "ingest": {"port": port, "management_port": port + step},
        "fan_out": {"management_port": port + 2 * step},
        "membership": {"management_port": port + 3 * step},
    }
    changed = {name: getattr(settings, name).model_copy(update=values) for name, values in sections.items()}
    sinks = {name: port + (4 + place) * step for place, name in enumerate(settings.effective_sinks())}
    return settings.model_copy(update=changed).with_sink_ports(sinks)
