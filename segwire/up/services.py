"""The services of the pipeline: how each is started as a child, in the order in which they drain."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.process import PARENT_VARIABLE
from runtime.settings import Settings
from segwire.up.leftovers import RUN_DIR
from segwire.up.ports import service_urls

_PROCESSOR_DRAIN_S = 20.0
_DRAIN_MARGIN_S = 5.0
# For what Kafka has not acknowledged when the last request is answered: it goes to the spool.
_INGEST_FLUSH_S = 8.0
_LOG_DIR = "logs"
_YEAR_S = 31_536_000
# -P: a folder of the user's with the name of one of our packages must not be taken for it.
_SEGWIRE = (sys.executable, "-P", "-m", "segwire.cli.main")


@dataclass(frozen=True, kw_only=True)
class Service:
    """One child: what to run, where it says how it is, how long it may drain.

    Without a `management_url` it is ready when it runs, or where it `writes_ready_file` when it wrote that; one that is
    not `essential` may end for good.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    management_url: str | None
    ready_file: Path
    log_file: Path
    drain_s: float
    essential: bool = True
    writes_ready_file: bool = False


def services(settings: Settings, config: Path | None, environment: Mapping[str, str]) -> list[Service]:
    """Return the children in the order in which they drain: the sender's end first, sinks last."""
    ingest = settings.ingest
    drain_s = {"ingest": (ingest.drain_grace_ms + ingest.drain_timeout_ms) / 1000 + _INGEST_FLUSH_S}
    arguments: dict[str, tuple[str, ...]] = {
        "ingest": ("ingest",),
        "fan-out": ("process", "fan-out"),
        "membership": ("process", "membership"),
    }
    for name, section in settings.effective_sinks().items():
        arguments[f"sink-{name}"] = ("sink", name, "--port", str(section.management_port))
    urls = service_urls(settings)
    data_dir = Path(settings.data_dir)
    found = []
    for name, words in arguments.items():
        ready_file = data_dir / RUN_DIR / f"{name}.ready.json"
        options = ["--data-dir", str(data_dir), "--ready-file", str(ready_file)]
        if config is not None:
            options = ["--config", str(config), *options]
        found.append(
            Service(
                name=name,
                command=(*_SEGWIRE, *words, *options),
                environment=environment,
                management_url=urls[f"{name}-management"],
                ready_file=ready_file,
                log_file=data_dir / _LOG_DIR / f"{name}.log",
                drain_s=drain_s.get(name, _PROCESSOR_DRAIN_S),
            )
        )
    return found


def postgres_service(settings: Settings, environment: Mapping[str, str], *, container: bool = False) -> Service:
    """Return a PostgreSQL of ours as a child; it drains after all that write to it."""
    data_dir = Path(settings.data_dir)
    ready_file = data_dir / RUN_DIR / "postgres.ready.json"
    options = ("--testcontainers",) if container else ()
    return Service(
        name="postgres",
        command=(*_SEGWIRE, "postgres", "--data-dir", str(data_dir), "--ready-file", str(ready_file), *options),
        environment=environment,
        management_url=None,
        ready_file=ready_file,
        log_file=data_dir / _LOG_DIR / "postgres.log",
        drain_s=_PROCESSOR_DRAIN_S,
        writes_ready_file=True,
    )


def child_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the children: ours, and what `up` decided over the configuration."""
    decided = {
        "SEGWIRE_INGEST__PORT": str(settings.ingest.port),
        "SEGWIRE_INGEST__MANAGEMENT_PORT": str(settings.ingest.management_port),
        "SEGWIRE_FAN_OUT__MANAGEMENT_PORT": str(settings.fan_out.management_port),
        "SEGWIRE_MEMBERSHIP__MANAGEMENT_PORT": str(settings.membership.management_port),
        "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers or "",
        "SEGWIRE_KAFKA__REPLICATION_FACTOR": str(settings.kafka.replication_factor),
        # Whole, so that nothing of another Kafka's security is left where this one needs none.
        "SEGWIRE_KAFKA__PROPERTIES": json.dumps(settings.kafka.properties),
    }
    if settings.schema_registry.url is not None:
        decided["SEGWIRE_SCHEMA_REGISTRY__URL"] = settings.schema_registry.url
    kept = {name: value for name, value in environ.items() if not _decides(name, decided)}
    return {**kept, **decided, PARENT_VARIABLE: str(os.getpid()), "PYTHONUNBUFFERED": "1"}


def _decides(name: str, decided: Mapping[str, str]) -> bool:
    spelled = name.upper()
    return spelled in decided or spelled.startswith("SEGWIRE_KAFKA__PROPERTIES__")


def sample_traffic(settings: Settings, source: str, config: Path | None, environment: Mapping[str, str]) -> Service:
    """Return a gentle sender without end; it finds the URL, and whom to trust, as any command of this machine does."""
    data_dir = Path(settings.data_dir)
    options = ["--data-dir", str(data_dir), "--source", source]
    options += ["--users", "500", "--rate", "20", "--duration", str(_YEAR_S)]
    if config is not None:
        options = ["--config", str(config), *options]
    return Service(
        name="simulate",
        command=(*_SEGWIRE, "simulate", *options),
        environment=environment,
        management_url=None,
        ready_file=data_dir / RUN_DIR / "simulate.ready.json",
        log_file=data_dir / _LOG_DIR / "simulate.log",
        drain_s=_DRAIN_MARGIN_S,
        essential=False,
    )
