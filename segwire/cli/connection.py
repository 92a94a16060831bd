"""How a command that talks to a running system finds its Kafka."""

import json
from pathlib import Path

from runtime.errors import ConfigurationError
from runtime.settings import Settings
from segwire.up.lock import UP_FILE, is_held


def connected_settings(settings: Settings) -> Settings:
    """Return settings with a Kafka address: the configured one, else that of the running `up` of the data directory.

    Raises:
        ConfigurationError: there is neither.
    """
    if settings.kafka.bootstrap_servers:
        return settings
    running = running_up(Path(settings.data_dir))
    if running is None:
        raise ConfigurationError(
            f"no Kafka is configured and no `segwire up` runs on {settings.data_dir!r}; start it, name its --data-dir, "
            "or set kafka.bootstrap_servers (SEGWIRE_KAFKA__BOOTSTRAP_SERVERS)"
        )
    update: dict[str, object] = {"kafka": settings.kafka.model_copy(update=running)}
    registry = _document(Path(settings.data_dir)).get("schema_registry")
    if settings.schema_registry.url is None and isinstance(registry, dict):
        update["schema_registry"] = settings.schema_registry.model_copy(update=registry)
    return settings.model_copy(update=update)


def running_up(data_dir: Path) -> dict[str, object] | None:
    """Return the Kafka settings that a running `up` left in its data directory, None where none runs."""
    if not is_held(data_dir):
        return None
    kafka = _document(data_dir).get("kafka")
    return kafka if isinstance(kafka, dict) and kafka.get("bootstrap_servers") else None


def _document(data_dir: Path) -> dict[str, object]:
    try:
        document = json.loads((data_dir / UP_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
