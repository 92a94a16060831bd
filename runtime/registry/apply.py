"""Registers the schemas of the topics, and sees that the registry lets nobody break them."""

from collections.abc import Callable, Sequence

from runtime.registry.client import IncompatibleSchemaError, RegistryClient
from runtime.registry_settings import SchemaRegistrySettings
from schemas.avro_schema import schema_text
from schemas.subjects import COMPATIBILITY, Subject, subjects
from schemas.topics import Topic

MakeTopics = Callable[[], Sequence[str]]


def apply_with_schemas(
    registry: SchemaRegistrySettings, prefix: str, topics: Sequence[Topic], make_topics: MakeTopics
) -> list[str]:
    """Make the topics, and register their schemas where a registry is configured; return a line for each thing done.

    Safe to repeat. A schema that the registry refuses is found before anything else is done.

    Raises:
        SegwireError: as `make_topics`; the registry does not answer, or refuses a schema.
    """
    if registry.url is None:
        return list(make_topics())
    wanted = subjects(prefix, topics)
    with RegistryClient(registry) as client:
        missing, done = prepare(client, wanted)
        made = make_topics()
        return [*made, *done, *register(client, missing)]


def prepare(client: RegistryClient, wanted: Sequence[Subject]) -> tuple[list[Subject], list[str]]:
    """See that all that is missing can be registered; return that, and a line for each rule that was set.

    Raises:
        IncompatibleSchemaError: the registry refuses one; nothing was registered.
    """
    missing, done = [], []
    for subject in wanted:
        if client.has(subject.name):
            done += _guard(client, subject)
        if client.find(subject.name, schema_text(subject.record)) is None:
            missing.append(subject)
    for subject in missing:
        if not client.accepts(subject.name, schema_text(subject.record)):
            _register(client, subject)  # only the refusal says why
    return missing, done


def register(client: RegistryClient, missing: Sequence[Subject]) -> list[str]:
    """Register schemas and guard their subjects; return a line for each thing done.

    Raises:
        IncompatibleSchemaError: the registry refuses one.
    """
    done = []
    for subject in missing:
        schema_id = _register(client, subject)
        done.append(f"{subject.name}: registered {subject.record} with ID {schema_id}")
        done += _guard(client, subject)
    return done


def _register(client: RegistryClient, subject: Subject) -> int:
    try:
        return client.register(subject.name, schema_text(subject.record))
    except IncompatibleSchemaError as error:
        raise IncompatibleSchemaError(
            f"schema {subject.record}: the registry at {client.url} refuses it for {subject.name}, as it is not "
            f"{COMPATIBILITY} with the versions there ({error}); run the version of Segwire that these topics are of, "
            "or keep the new one apart from them with another kafka.topic_prefix"
        ) from None


def _guard(client: RegistryClient, subject: Subject) -> list[str]:
    if client.compatibility(subject.name) == COMPATIBILITY:
        return []
    client.set_compatibility(subject.name, COMPATIBILITY)
    return [f"{subject.name}: set compatibility {COMPATIBILITY}"]
