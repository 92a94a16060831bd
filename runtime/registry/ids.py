"""Which schema ID the values of a topic carry: the registry's, or the manifest's own where there is none.

Source: interfaces, *Framing*.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import structlog

from runtime.errors import SegwireError
from runtime.registry.client import RegistryClient, UnreachableRegistryError
from runtime.registry_settings import SchemaRegistrySettings
from runtime.service import write_whole
from runtime.settings import Settings
from schemas.avro_codec import fixed_schema_id
from schemas.avro_schema import schema_text
from schemas.subjects import value_subject
from schemas.topics import Topic

Connect = Callable[[SchemaRegistrySettings], RegistryClient]

_log = structlog.get_logger()


def schema_id(settings: Settings, topic: Topic, connect: Connect = RegistryClient) -> int:
    """Return the ID for the values of a topic. Asks the registry that `connect` reaches, where one is configured.

    An ID never changes, so it is remembered in the data directory: a registry that is away keeps no service that ran
    before from starting.

    Raises:
        SegwireError: the schema is not registered, or the registry does not answer and nothing is remembered.
    """
    registry = settings.schema_registry
    if registry.url is None:
        return fixed_schema_id(topic)
    subject = value_subject(settings.kafka.topic_prefix, topic)
    schema = schema_text(subject.record)
    memory = Path(settings.data_dir) / "schemas" / f"{subject.name}.json"
    known = {"url": registry.url, "sha256": hashlib.sha256(schema.encode()).hexdigest()}
    try:
        with connect(registry) as client:
            found = client.find(subject.name, schema)
    except UnreachableRegistryError as error:
        remembered = _remembered(memory, known)
        if remembered is None:
            raise
        _log.warning("schema_registry_away", reason=str(error), subject=subject.name, schema_id=remembered)
        return remembered
    if found is None:
        raise SegwireError(
            f"schema {subject.record} is not registered as {subject.name} at {registry.url}; run: segwire topics apply"
        )
    write_whole(memory, json.dumps({**known, "id": found}) + "\n")
    return found


def _remembered(memory: Path, known: dict[str, str]) -> int | None:
    try:
        document = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = document.pop("id", None) if isinstance(document, dict) else None
    return found if isinstance(found, int) and document == known else None
