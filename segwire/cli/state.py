"""`segwire state`: a processor's local store, whether it agrees with its changelog, and writing what was lost anew."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from segwire.cli.options import config_option, data_dir_option, json_option, read_settings

if TYPE_CHECKING:
    from segwire.inspect.state import PartitionState

_REMEDY = "stop the processor, remove its state directory and start it again: it is restored from the changelog"


@click.group(name="state")
def command() -> None:
    """Look at the local state of the membership processor.

    It may be running: what is seen is what its store has last flushed, all of it after a stop.
    """


def _store_options(function: Callable[..., Any]) -> Callable[..., Any]:
    name = click.option(
        "--store", type=click.Choice(["membership", "identity"]), default="membership", show_default=True
    )
    ordinal = click.option("--ordinal", type=click.IntRange(0), help="Of the replica [default: as configured].")
    return name(ordinal(config_option(data_dir_option(json_option(function)))))


@command.command(name="inspect", epilog="\b\nExample:\n  segwire state inspect --json")
@_store_options
def inspect(store: str, ordinal: int | None, config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Show what the store holds, by partition, without Kafka."""
    from segwire.inspect.state import inspect_store, open_store

    settings = read_settings(config, data_dir)
    opened = open_store(settings, store, settings.membership.ordinal if ordinal is None else ordinal)
    _show(inspect_store(opened, settings.kafka.partitions), as_json)


@command.command(name="verify", epilog="\b\nExample:\n  segwire state verify --data-dir .segwire")
@_store_options
def verify(store: str, ordinal: int | None, config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Compare the store with its changelog as of its checkpoints; exits 1 on any difference."""
    from segwire.cli.connection import connected_settings
    from segwire.inspect.log_reader import LogReader
    from segwire.inspect.state import changelog_of, inspect_store, open_store, verify_store

    settings = connected_settings(read_settings(config, data_dir))
    opened = open_store(settings, store, settings.membership.ordinal if ordinal is None else ordinal)
    reader = LogReader(settings.kafka)
    changelog = changelog_of(settings, store)
    states = verify_store(opened, reader, changelog, inspect_store(opened, reader.partitions(changelog)))
    _show(states, as_json)
    if any(state.differences for state in states):
        raise click.exceptions.Exit(1)


@command.command(
    name="publish",
    epilog="\b\nExamples:\n  segwire state publish --store membership"
    "\n  segwire state publish --partition 3 --partition 7",
)
@_store_options
@click.option("--partition", "partitions", type=click.IntRange(0), multiple=True, help="Only this; may be repeated.")
def publish(
    store: str, ordinal: int | None, partitions: tuple[int, ...], config: Path | None, data_dir: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Write the store to its changelog, where that topic was lost and made anew.

    The processor must have been stopped, in order, and not started since: on an empty changelog it empties its store.
    Where several stores hold a partition, publish the one whose changelog offset in `segwire state inspect` is highest.
    """
    from segwire.cli.connection import connected_settings
    from segwire.inspect.log_reader import LogReader
    from segwire.inspect.state import changelog_of, open_store
    from segwire.inspect.state_publishing import held_partitions, publish_store

    settings = connected_settings(read_settings(config, data_dir))
    opened = open_store(settings, store, settings.membership.ordinal if ordinal is None else ordinal)
    changelog, reader = changelog_of(settings, store), LogReader(settings.kafka)
    held = held_partitions(opened, reader.partitions(changelog), partitions)
    done = {}
    for partition, entries in publish_store(opened, settings.kafka, reader, changelog, held):
        done[partition] = entries
        if not as_json:
            click.echo(f"partition {partition}: {entries} entries written to {changelog}")
    if as_json:
        click.echo(msgspec.json.encode(done).decode())
    elif not done:
        click.echo("the store holds nothing yet")


@command.command(name="publish-rows", epilog="\b\nExample:\n  segwire state publish-rows --json")
@config_option
@data_dir_option
@json_option
def publish_rows(config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Write a row for every active membership to segment-membership, where that topic was lost and made anew.

    From the changelog, so it runs anywhere; the membership processor must have been stopped. Memberships that have
    ended get no row. Where it is interrupted, make the topic anew and begin again. Exits 1 where a state is unreadable.
    """
    from segwire.cli.connection import connected_settings
    from segwire.inspect import row_publishing
    from segwire.inspect.log_reader import LogReader

    settings = connected_settings(read_settings(config, data_dir))
    done = []
    for written in row_publishing.publish_rows(settings, LogReader(settings.kafka)):
        done.append(written)
        if not as_json:
            click.echo(f"partition {written.partition}: {written.rows} rows of {written.users} users written")
            if written.unreadable:
                click.echo(
                    f"  ✗ no rows of {written.unreadable} users, as their state is unreadable: {written.example}"
                )
    if as_json:
        click.echo(msgspec.json.encode(done).decode())
    if any(written.unreadable for written in done):
        raise click.exceptions.Exit(1)


def _show(states: "list[PartitionState]", as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(states).decode())
        return
    for state in states:
        behind = "" if state.behind_records is None else f", {state.behind_records} changed since"
        click.echo(
            f"partition {state.partition}: {state.entries} entries, {state.bytes} bytes, "
            f"changelog below {state.checkpoint.offset}{behind}"
        )
        for difference in state.differences or []:
            click.echo(f"  ✗ {difference}")
    if not states:
        click.echo("the store holds nothing yet")
    elif any(state.differences for state in states):
        click.echo(f"the store differs from its changelog; {_REMEDY}")
    elif all(state.differences is not None for state in states):
        click.echo("the store agrees with its changelog")
