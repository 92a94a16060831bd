"""Puts the PostgreSQL sink together: one loop for the rows, one for the changes."""

from collections.abc import Callable
from pathlib import Path

from runtime.clock import SystemClock
from runtime.errors import ConfigurationError
from runtime.hosting import group_id, transaction_loop
from runtime.kafka.group_offsets import group_offsets
from runtime.kafka.reading import reader
from runtime.kafka.topic_ids import topic_id
from runtime.loop import TransactionLoop
from runtime.secrets import read_secret
from runtime.sink_settings import PostgresSinkSettings
from runtime.tracing.processor import Step, delivered
from sinks.context import SinkContext
from sinks.frame import SinkProcessor
from sinks.postgres.again import KnowsWhatIsOver, LastOfKey, RewritingSink, Tombstones
from sinks.postgres.catching_up import CatchingUpSink
from sinks.postgres.changes import ChangeTable
from sinks.postgres.database import Database, check_dsn
from sinks.postgres.membership import MembershipTable
from sinks.postgres.offsets import Offsets
from sinks.postgres.sink import PostgresSink
from sinks.postgres.table import Table
from sinks.redelivery import Redelivery


def postgres_loops(context: SinkContext, section: PostgresSinkSettings) -> list[TransactionLoop]:
    """Return the loops of a PostgreSQL sink. The database need not be there yet.

    Raises:
        ConfigurationError: there is no connection string, or it cannot be read.
        SegwireError: Kafka does not describe the topics.
    """
    dsn = _dsn(f"sinks.{context.name}", section)
    names = context.names
    # A colon is in no sink's name, so no other sink has this group.
    return [
        _loop(context, section, context.service, names.segment_membership, MembershipTable(), dsn),
        _loop(context, section, f"{context.service}:changes", names.segment_membership_changes, ChangeTable(), dsn),
        _requests_loop(context, section, dsn),
    ]


def _loop(
    context: SinkContext, section: PostgresSinkSettings, name: str, topic: str, table: Table, dsn: Callable[[], str]
) -> TransactionLoop:
    database = Database(dsn, section.statement_timeout_s)
    context.cleanup.callback(database.close)
    kafka = context.settings.kafka
    offsets = Offsets(topic, topic_id(kafka, topic), group_offsets(kafka, group_id(kafka, name), topic))
    clock = SystemClock()
    sink = CatchingUpSink(PostgresSink(database, offsets, table), offsets, reader(kafka, topic), clock)
    processor = SinkProcessor(context.name, topic, context.names.dead_letters, sink, clock, tends=sink)
    traced = delivered(context.tracer, processor, Step("deliver", topic, group_id(kafka, name)), clock)
    return transaction_loop(context.settings, name, topic, section, traced, None)


def _requests_loop(
    context: SinkContext, section: PostgresSinkSettings, dsn: Callable[[], str]
) -> TransactionLoop:  # fmt: skip
    names, kafka = context.names, context.settings.kafka
    database = Database(dsn, section.statement_timeout_s)
    context.cleanup.callback(database.close)

    def processor(topic: str, table: Table, over: KnowsWhatIsOver | None) -> SinkProcessor:
        sink = RewritingSink(database, Offsets(topic, topic_id(kafka, topic)), table, over)
        return SinkProcessor(context.name, topic, names.dead_letters, sink, SystemClock())

    rows, changes = names.segment_membership, names.segment_membership_changes
    processors = {
        rows: processor(rows, MembershipTable(), LastOfKey(reader(kafka, rows))),
        changes: processor(changes, ChangeTable(), None),
    }
    redelivery = Redelivery(context.name, processors)
    name = f"{context.service}:requests"
    return transaction_loop(context.settings, name, names.sink_requests, section, redelivery, None)


def rewriting_processor(context: SinkContext, section: PostgresSinkSettings) -> SinkProcessor:
    """Return what writes rows that are read again in ascending order, beside the live sink.

    Raises:
        ConfigurationError: there is no connection string, or it cannot be read.
    """
    kafka, topic = context.settings.kafka, context.names.segment_membership
    database = Database(_dsn(f"sinks.{context.name}", section), section.statement_timeout_s)
    context.cleanup.callback(database.close)
    offsets = Offsets(topic, topic_id(kafka, topic))
    sink = RewritingSink(database, offsets, MembershipTable(), Tombstones(reader(kafka, topic)))
    return SinkProcessor(context.name, topic, context.names.dead_letters, sink, SystemClock())


def _dsn(setting: str, section: PostgresSinkSettings) -> Callable[[], str]:
    """Return what gives the connection string, read again each time: a rotated password is used at once."""

    def read() -> str:
        if section.dsn is not None:
            return section.dsn.get_secret_value()
        assert section.dsn_file is not None, "the settings check it"
        try:
            return read_secret(f"{setting}.dsn_file", Path(section.dsn_file)).decode()
        except UnicodeDecodeError:
            raise ConfigurationError(f"{setting}.dsn_file: {section.dsn_file!r} is not UTF-8 text") from None

    try:
        check_dsn(read())
    except ValueError as error:
        which = "dsn" if section.dsn is not None else "dsn_file"
        raise ConfigurationError(f"{setting}.{which}: what it holds {error}") from None
    return read
