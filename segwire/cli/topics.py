"""`segwire topics`: create, show, read and render the topics."""

import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import click
import msgspec

from schemas.topics import topics_for
from segwire.cli.connection import connected_settings
from segwire.cli.options import config_option, data_dir_option, json_option, read_settings


@click.group(name="topics")
def command() -> None:
    """Create or update the topics, show them, print their records."""


@command.command(epilog="\b\nExample:\n  segwire topics apply --config segwire.yaml")
@config_option
@data_dir_option
def apply(config: Path | None, data_dir: Path | None) -> None:
    """Create what is missing and set what differs. Safe to repeat; partition counts are never changed.

    Where schema_registry.url is set, every Avro schema is registered too, and compatibility made FULL_TRANSITIVE. A
    schema that the registry refuses is found first: then nothing is done.
    """
    from runtime.kafka.topics import apply_topics
    from runtime.registry.apply import apply_with_schemas

    settings = connected_settings(read_settings(config, data_dir))
    kafka, topics = settings.kafka, topics_for(settings.destinations)
    done = apply_with_schemas(
        settings.schema_registry, kafka.topic_prefix, topics, lambda: apply_topics(kafka, topics)
    )  # fmt: skip
    for line in done or ["nothing to do"]:
        click.echo(line)


@command.command(epilog="\b\nExample:\n  segwire topics describe --json | jq '.[].name'")
@config_option
@data_dir_option
@json_option
def describe(config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Show the topics as they are on the cluster, and what differs from what is wanted."""
    from runtime.kafka.topics import describe_topics
    from segwire.inspect.output import until_pipe_closes
    from segwire.inspect.topics_text import format_states, states_as_json

    settings = connected_settings(read_settings(config, data_dir))
    states = describe_topics(settings.kafka, topics_for(settings.destinations))
    with until_pipe_closes():
        click.echo(msgspec.json.encode(states_as_json(states)) if as_json else format_states(states))


@command.command(
    epilog="\b\nExamples:\n  segwire topics read segment-membership --limit 10"
    "\n  segwire topics read segment-membership-changes --from 2026-07-27T16:00:00Z --follow"
    "\n  segwire topics read segment-events --key 19393572368547369350319949416899715727"
)
@click.argument("name")
@config_option
@data_dir_option
@click.option("--follow", is_flag=True, help="Go on with what comes, until interrupted.")
@click.option(
    "--from",
    "start",
    default="beginning",
    show_default=True,
    help="beginning, end, an offset, or a time such as 2026-07-27T16:17:22Z.",
)
@click.option("--key", help="Only records of this key: a user's AAM UUID where the topic is keyed by user.")
@click.option("--limit", type=click.IntRange(1), help="Stop after so many records.")
def read(
    name: str, config: Path | None, data_dir: Path | None, follow: bool, start: str, key: str | None, limit: int | None
) -> None:
    """Print a topic's committed records as JSON lines: those there are now, unless --follow.

    NAME is one of the topics of `segwire topics describe`, with or without the prefix. Avro is decoded; what is not
    JSON is printed as {"base64": …}.
    """
    from segwire.inspect.decoding import encode_line, view_record
    from segwire.inspect.names import find_topic
    from segwire.inspect.output import until_pipe_closes
    from segwire.inspect.times import parse_start
    from segwire.inspect.topic_reader import read_topic

    kafka = connected_settings(read_settings(config, data_dir)).kafka
    topic = find_topic(name, kafka.topic_prefix)
    records = read_topic(kafka, topic, parse_start(start), key=key, follow=follow)
    with until_pipe_closes():
        for message in islice(records, limit):
            sys.stdout.write(encode_line(view_record(topic, message)) + "\n")
            if follow:
                sys.stdout.flush()


@command.command(
    epilog="\b\nExamples:\n  segwire topics render --format markdown > topics.md"
    "\n  segwire topics render --format asyncapi > asyncapi.yaml"
    "\n  segwire topics render --format strimzi --cluster my-cluster | kubectl apply -f -"
)
@config_option
@data_dir_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "asyncapi", "strimzi"]),
    default="markdown",
    show_default=True,
    help="For people, for tools that know AsyncAPI 3, or KafkaTopic resources.",
)
@click.option("--cluster", default="kafka", show_default=True, help="The Strimzi cluster that the topics are of.")
def render(config: Path | None, data_dir: Path | None, form: str, cluster: str) -> None:
    """Render the topic manifest, with the configured prefix, partitions and replication factor. Needs no Kafka."""
    from segwire.contracts.asyncapi import render_asyncapi
    from segwire.contracts.strimzi import render_strimzi
    from segwire.inspect.output import until_pipe_closes
    from segwire.inspect.topics_text import render_markdown

    settings = read_settings(config, data_dir)
    kafka, topics = settings.kafka, topics_for(settings.destinations)
    renderings: dict[str, Callable[[], str]] = {
        "markdown": lambda: render_markdown(kafka.topic_prefix, topics),
        "asyncapi": lambda: render_asyncapi(kafka, topics),
        "strimzi": lambda: render_strimzi(kafka, cluster, topics),
    }
    with until_pipe_closes():
        click.echo(renderings[form]().rstrip("\n"))
