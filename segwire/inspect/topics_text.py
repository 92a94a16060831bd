"""The topics of the manifest as tables: as they are on a cluster, and as documentation."""

from collections.abc import Sequence
from typing import Any

from runtime.kafka.topics import TopicState
from schemas.topics import DAY_MS, TOPICS, Topic
from segwire.inspect.columns import format_columns

_PARTITIONED_BY = {"none": "no key", "aam_uuid": "AAM UUID", "key": "key"}


def format_states(states: Sequence[TopicState]) -> str:
    """Write a table of the topics as they are, and what is not as the manifest wants it."""
    rows = []
    for state in states:
        there = state.partitions > 0
        rows.append(
            (
                state.name,
                str(state.partitions) if there else "-",
                str(state.replication_factor) if there else "-",
                format_cleanup(state.topic),
                _PARTITIONED_BY[state.topic.partitioning],
                _difference(state),
            )
        )
    return format_columns(("TOPIC", "PARTITIONS", "REPLICAS", "CLEANUP", "PARTITIONED BY", "STATE"), rows)


def states_as_json(states: Sequence[TopicState]) -> list[dict[str, Any]]:
    """Return the topics as they are for scripts; `settings` are those the manifest declares."""
    return [
        {
            "name": state.name,
            "exists": state.partitions > 0,
            "partitions": state.partitions,
            "replication_factor": state.replication_factor,
            "settings": {key: state.settings.get(key) for key in state.wanted},
            "differing": state.differing if state.partitions else {},
        }
        for state in states
    ]


def render_markdown(prefix: str = "", topics: Sequence[Topic] = TOPICS) -> str:
    """Render the manifest as documentation."""
    parts = [
        "# Topics\n",
        "Every user-keyed topic is partitioned by the AAM UUID alone (murmur2, as Java's), with one partition count.\n",
        _markdown_table(
            ("topic", "key", "value", "cleanup", "partitioned by", "readers"),
            [
                (f"`{prefix}{t.name}`", t.key, t.value, format_cleanup(t), _PARTITIONED_BY[t.partitioning], t.readers)
                for t in topics
            ],
        ),
    ]
    for topic in topics:
        settings = [(f"`{key}`", f"`{value}`") for key, value in sorted(topic.configuration().items())]
        private = " Private: its format may change with every release." if topic.private else ""
        parts += [f"\n## `{prefix}{topic.name}`\n", f"{topic.purpose}{private}\n"]
        parts.append(_markdown_table(("setting", "value"), settings))
    return "\n".join(parts)


def format_cleanup(topic: Topic) -> str:
    """Return how long records stay, in words."""
    if topic.retention_ms is None:
        return topic.cleanup
    return f"{topic.cleanup}, {topic.retention_ms / DAY_MS:g} d"


def _difference(state: TopicState) -> str:
    if state.partitions == 0:
        return "missing"
    changes = (f"{key} is {state.settings.get(key)}, not {value}" for key, value in sorted(state.differing.items()))
    return "; ".join(changes) or "ok"


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
