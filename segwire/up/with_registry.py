"""`segwire up --with registry`: a schema registry of ours, where every schema is registered before anything starts."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from runtime.clock import Clock
from runtime.errors import ConfigurationError
from runtime.settings import Settings
from segwire.embedded.kafka.progress import ConsoleProgress
from segwire.embedded.registry.server import EmbeddedRegistry
from segwire.up.keeper import ServerKeeper
from segwire.up.reporter import Reporter
from segwire.up.restart import RestartPolicy

REGISTRY = "registry"
RegistryKeeper = ServerKeeper[EmbeddedRegistry]


def check_no_registry(settings: Settings) -> None:
    """See that the configuration names no other registry.

    Raises:
        ConfigurationError: it does.
    """
    if settings.schema_registry.url is not None:
        raise ConfigurationError(
            f"--with {REGISTRY} starts a schema registry of its own, and schema_registry.url: "
            f"{settings.schema_registry.url} is configured; leave one of the two out"
        )


def keep_registry(
    data_dir: Path, *, any_port: bool, policy: RestartPolicy, console: Console, clock: Clock, reporter: Reporter
) -> RegistryKeeper:
    """Return what starts a registry on the data directory, and starts it again at the same URL."""
    make = _maker(data_dir, console)
    return ServerKeeper(
        "registry", REGISTRY, make(0 if any_port else None), lambda one: one.url, policy, clock, reporter,
        at_address=lambda url: make(urlsplit(url).port),
    )  # fmt: skip


def with_registry(settings: Settings, url: str) -> Settings:
    """Return the configuration with the registry at `url`."""
    registry = settings.schema_registry.model_copy(update={"url": url})
    return settings.model_copy(update={"schema_registry": registry})


def _maker(data_dir: Path, console: Console) -> Callable[[int | None], EmbeddedRegistry]:
    return lambda port: EmbeddedRegistry(data_dir, port=port, progress=ConsoleProgress(console))
