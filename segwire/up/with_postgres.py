"""`segwire up --with postgres`: a PostgreSQL of ours, and a sink that writes to it."""

from pathlib import Path

from runtime.errors import ConfigurationError
from runtime.settings import Settings
from runtime.sink_settings import PostgresSinkSettings
from segwire.embedded.container import check_installed
from segwire.embedded.postgres.container import IMAGE
from segwire.embedded.postgres.programs import programs
from segwire.embedded.postgres.storage import PostgresStorage
from segwire.up.with_registry import REGISTRY

POSTGRES = "postgres"
POSTGRES_CONTAINER = "postgres:testcontainers"
SERVERS = (POSTGRES, POSTGRES_CONTAINER, REGISTRY)


def parse_servers(text: str) -> frozenset[str]:
    """Return the servers that `--with` names.

    Raises:
        ConfigurationError: one of them is unknown.
    """
    names = frozenset(filter(None, (name.strip() for name in text.split(","))))
    unknown = sorted(names - set(SERVERS))
    if unknown:
        raise ConfigurationError(f"--with {text}: {unknown[0]!r} is not known; known: {', '.join(SERVERS)}")
    return names


def add_postgres(settings: Settings, *, container: bool = False) -> Settings:
    """Return the configuration with a sink `postgres` to a server of ours, embedded or in a container.

    Raises:
        ConfigurationError: something else has that name.
        SegwireError: the package that brings the server is not installed.
    """
    if POSTGRES in settings.effective_sinks():
        raise ConfigurationError(
            f"--with {POSTGRES} adds a sink of the name {POSTGRES}, and the configuration has one; rename that, or "
            "leave the option out"
        )
    if container:
        check_installed(IMAGE)
    else:
        programs()
    storage = PostgresStorage(Path(settings.data_dir))
    sink = PostgresSinkSettings(type="postgres", dsn_file=str(storage.dsn_file))
    return settings.model_copy(update={"sinks": {**settings.sinks, POSTGRES: sink}})


def postgres_variables(settings: Settings) -> dict[str, str]:
    """Return what tells a child of the sink that `add_postgres` added."""
    prefix = f"SEGWIRE_SINKS__{POSTGRES.upper()}__"
    dsn_file = settings.sinks[POSTGRES].dsn_file
    assert dsn_file is not None
    return {f"{prefix}TYPE": "postgres", f"{prefix}DSN_FILE": dsn_file}
