"""Checks of the schema registry: is everything registered and guarded, and does it know the IDs in the topics?"""

from collections.abc import Callable, Sequence

from runtime.registry.client import RegistryClient
from runtime.settings import Settings
from schemas.avro_schema import schema_text
from schemas.subjects import COMPATIBILITY, Subject, subjects
from schemas.topics import Topic
from segwire.inspect.doctor.finding import Finding

IdRule = Callable[[Topic, int], str | None]
"""Returns what is wrong with the schema ID of a topic's value, None where nothing is."""


def check_registry(settings: Settings, topics: Sequence[Topic]) -> list[Finding]:
    """Check that every schema of these topics is registered; nothing where there is no registry.

    Raises:
        RegistryError: it does not answer.
    """
    if settings.schema_registry.url is None:
        return []
    with RegistryClient(settings.schema_registry) as client:
        return [_check_subject(client, subject) for subject in subjects(settings.kafka.topic_prefix, topics)]


def _check_subject(client: RegistryClient, subject: Subject) -> Finding:
    check, remedy = f"subject {subject.name}", "mend it: segwire topics apply"
    found = client.find(subject.name, schema_text(subject.record))
    if found is None:
        return Finding(check, False, f"{subject.record} is not registered", remedy)
    rule = client.compatibility(subject.name)
    if rule != COMPATIBILITY:
        return Finding(check, False, f"its compatibility is {rule}, not {COMPATIBILITY}", remedy)
    return Finding(check, ok=True, value=f"{subject.record} has ID {found}, {rule}")


def id_rule(settings: Settings) -> IdRule:
    """Return how schema IDs are judged: one of the registry's, or the fixed one where there is no registry."""
    return fixed_ids if settings.schema_registry.url is None else _RegistryIds(settings)


def fixed_ids(topic: Topic, found: int) -> str | None:
    """Judge an ID by the manifest."""
    if topic.value_schema is None or found == topic.value_schema.schema_id:
        return None
    return f"schema ID {found} instead of {topic.value_schema.schema_id}"


class _RegistryIds:
    """Judges an ID by asking the registry, once for each."""

    def __init__(self, settings: Settings) -> None:
        self._registry = settings.schema_registry
        self._known: dict[int, bool] = {}

    def __call__(self, topic: Topic, found: int) -> str | None:
        if found not in self._known:
            with RegistryClient(self._registry) as client:
                self._known[found] = client.knows(found)
        if self._known[found]:
            return None
        return f"schema ID {found} of {topic.name}, which the registry at {self._registry.url} does not know"
