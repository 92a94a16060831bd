"""All the checks, in the order in which a person would make them."""

from collections.abc import Callable, Iterator
from pathlib import Path

from confluent_kafka import KafkaException

from runtime.clock import Clock
from runtime.errors import ConfigurationError, SegwireError
from runtime.settings import Settings
from schemas.topics import topics_for
from segwire.inspect.doctor.clocks import check_clocks
from segwire.inspect.doctor.cluster import check_brokers, check_topics
from segwire.inspect.doctor.contracts import check_records, check_schemas
from segwire.inspect.doctor.finding import Finding
from segwire.inspect.doctor.groups import check_groups
from segwire.inspect.doctor.machine import check_data_dir, check_versions
from segwire.inspect.doctor.registry import check_registry, id_rule

Check = Callable[[], list[Finding]]


def examine_machine(settings: Settings) -> Iterator[Finding]:
    """Yield what needs no Kafka: versions, the data directory, the schemas."""
    yield from check_versions()
    yield from check_data_dir(Path(settings.data_dir))
    yield from check_schemas()


def examine_kafka(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Yield what there is to say of Kafka; where it does not answer, nothing beyond that is checked."""
    kafka = settings.kafka
    brokers = attempt("brokers", lambda: check_brokers(kafka))
    yield from brokers
    checks: dict[str, Check] = {
        "topics": lambda: check_topics(kafka, topics_for(settings.destinations)),
        "schema registry": lambda: check_registry(settings, topics_for(settings.destinations)),
        "records": lambda: check_records(kafka, id_rule(settings)),
        "consumer groups": lambda: check_groups(kafka, clock),
        "clocks": lambda: check_clocks(kafka, clock),
    }
    for name, check in checks.items():
        if brokers[0].ok:
            yield from attempt(name, check)
        else:
            yield Finding(name, None, "not checked: Kafka does not answer")


def wrong_configuration(error: ConfigurationError) -> Finding:
    """Return the finding for a configuration that cannot be used; its message says what to do."""
    return Finding("configuration", False, str(error), "mend what is named here, then run segwire doctor again")


def attempt(name: str, check: Check) -> list[Finding]:
    """Make a check; one that fails itself is a finding."""
    try:
        return check()
    except SegwireError as error:
        what, _, remedy = str(error).rpartition("; ")
        return [Finding(name, False, what or remedy, remedy)]
    except KafkaException as error:
        remedy = "check that the brokers are healthy and that this user may do this (describe, read)"
        return [Finding(name, False, str(error.args[0].str()), remedy)]
