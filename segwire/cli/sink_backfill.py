"""`segwire sink NAME --backfill`: the present membership for a sink that is new, changed, or has lost what it had."""

import time
from contextlib import ExitStack
from pathlib import Path

import click

from runtime.clock import SystemClock
from runtime.destination_settings import DestinationSettings
from runtime.errors import ConfigurationError, SegwireError
from runtime.settings import Settings
from segwire.cli.connection import connected_settings
from segwire.embedded.postgres.storage import PostgresStorage
from segwire.up.with_postgres import POSTGRES, add_postgres


def backfill(settings: Settings, name: str, segments: tuple[str, ...], restart: bool) -> None:
    """Deliver the present membership to a sink, of some segments or of all, and show how far it is.

    Raises:
        ConfigurationError: there is no such sink, or a segment is not mapped to it.
        SegwireError: Kafka cannot be reached; another backfill of the sink is under way.
    """
    from sinks.app import find_sink

    settings = _with_running_postgres(connected_settings(settings), name)
    section = find_sink(settings, name)
    if not isinstance(section, DestinationSettings):
        _write_rows(settings, name, segments, restart)
        return
    for segment in segments:
        if segment not in section.segments:
            raise ConfigurationError(
                f"--segment {segment!r} is not mapped to {name}; destinations.{name}.segments has "
                + ", ".join(sorted(section.segments))
            )
    _ask(settings, name, segments, restart)


def _with_running_postgres(settings: Settings, name: str) -> Settings:
    """Return settings with the sink that a running `up --with postgres` of the data directory has added."""
    storage = PostgresStorage(Path(settings.data_dir))
    if name != POSTGRES or name in settings.effective_sinks() or not storage.dsn_file.exists():
        return settings
    return add_postgres(settings)


def _ask(settings: Settings, name: str, segments: tuple[str, ...], restart: bool) -> None:
    from rich.console import Console

    from segwire.backfill.asked import AskedBackfill
    from segwire.inspect.progress import progress

    clock = SystemClock()
    asked = AskedBackfill(settings.kafka, name, clock)
    state = None if restart else asked.under_way()
    if state is None:
        state = asked.ask(segments)
        click.echo(f"backfill {state.request.request_id} asked for; {name} sends it while it runs: segwire sink {name}")
    elif state.request.segments != sorted(segments):
        what = ", ".join(state.request.segments) or "all segments"
        raise SegwireError(
            f"a backfill of {name} is under way: of {what}; name the same --segment to watch it, or --restart to give "
            "it up for this one"
        )
    else:
        click.echo(f"backfill {state.request.request_id} is under way")
    click.echo("interrupting this command leaves it going on; run it again to watch")
    with progress(Console(stderr=True), clock, f"backfill of {name}", 0) as tell:
        for heard in asked.watch(state):
            tell(heard.users, heard.total)
            state = heard
    click.echo(f"done: {state.users} users gone through; see segwire receipts --destination {name}")


def _write_rows(settings: Settings, name: str, segments: tuple[str, ...], restart: bool) -> None:
    from rich.console import Console

    from runtime.hosting import begin, group_id
    from segwire.backfill.rows import RowsBackfill
    from segwire.inspect.progress import progress
    from sinks.app import rewriting_processor
    from sinks.context import SinkContext

    clock = SystemClock()
    with ExitStack() as cleanup:
        context = SinkContext(name, settings, begin(settings, f"sink-{name}"), cleanup)
        group = group_id(settings.kafka, f"{context.service}:backfill")
        rows = RowsBackfill(settings.kafka, group, rewriting_processor(context), segments, time.sleep)
        slices = rows.slices(restart)
        total = sum(part.end - part.start for part in slices)
        with progress(Console(stderr=True), clock, f"backfill of {name}", total) as tell:
            refused = rows.run(slices, lambda done: tell(done, total))
        rows.finish()
    click.echo(f"done: {total} records gone through, {refused} refused")
