"""What `up` prints when it is ready. Pure: settings in, lines out."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from runtime.settings import Settings
from segwire.up.demo.samples import SAMPLE_USER
from segwire.up.ports import service_urls

_DEFAULT_DATA_DIR = Settings().data_dir


def url_lines(urls: Mapping[str, str], bootstrap_servers: str, source: str) -> list[str]:
    """Return where everything is."""
    lines = [("POST messages to", f"{urls['ingest']}/v1/aam/{source}"), ("API documents", f"{urls['ingest']}/docs")]
    lines += [(f"{name} management", url) for name, url in _management(urls)]
    lines.append(("Kafka", bootstrap_servers))
    if "postgres" in urls:
        lines.append(("PostgreSQL", urls["postgres"]))
    if "registry" in urls:
        lines.append(("Schema registry", urls["registry"]))
    width = max(len(label) for label, _ in lines)
    return [f"  {label:<{width}}  {where}" for label, where in lines]


def program(found: str | None, beside: Path, folder: Path) -> str:
    """Return how `segwire` is called from `folder`: its name where it is `found` on the path, else where it is.

    `beside` is the interpreter beside which the command was installed.
    """
    command = beside.parent / "segwire"
    if found is not None and Path(found) == command:
        return command.name
    return str(command.relative_to(folder) if command.is_relative_to(folder) else command)


def next_lines(
    configured: Settings, running: Settings, config: Path | None, source: str, sample: Path, called: str = "segwire"
) -> list[str]:
    """Return what to try next, as commands that work as printed.

    Where the configuration names another Kafka than the running one, the commands name the running one.
    """
    urls = service_urls(running)
    other = configured.kafka.bootstrap_servers
    ours = running.kafka.bootstrap_servers
    before = f"SEGWIRE_KAFKA__BOOTSTRAP_SERVERS={ours} " if other and other != ours else ""
    address = f"{urls['ingest']}/v1/aam/{source}"
    # Over loopback, where the certificate's name and CA need not be known to anyone.
    curl = "curl -ik" if running.ingest.tls is not None else "curl -i"
    commands = [
        f"{curl} {address} -H 'Content-Type: application/json' --data-binary {shlex.quote(f'@{sample}')}",
        before + _command(called, running, config, "explain", SAMPLE_USER),
        before + _command(called, running, config, "topics", "read", "segment-membership", "--follow"),
        f"curl -s {urls['membership-management']}/metrics",
    ]
    return ["Try next, in another terminal:", *(f"  {command}" for command in commands)]


def _command(called: str, settings: Settings, config: Path | None, *words: str) -> str:
    options: list[str] = []
    if config is not None:
        options += ["--config", str(config)]
    if settings.data_dir != _DEFAULT_DATA_DIR:
        options += ["--data-dir", settings.data_dir]
    return shlex.join([called, *words, *options])


def _management(urls: Mapping[str, str]) -> list[tuple[str, str]]:
    suffix = "-management"
    return [(name.removesuffix(suffix), url) for name, url in urls.items() if name.endswith(suffix)]
