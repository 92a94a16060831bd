"""The topics as tables."""

from runtime.kafka.topics import TopicState
from schemas.topics import AAM_POSTS, SEGMENT_MEMBERSHIP, TOPICS, Topic
from segwire.inspect.topics_text import format_states, render_markdown, states_as_json


def state(topic: Topic, partitions: int, **settings: str) -> TopicState:
    wanted = topic.configuration()
    return TopicState(
        topic=topic,
        name=f"p-{topic.name}",
        partitions=partitions,
        replication_factor=3 if partitions else 0,
        settings={**wanted, "flush.ms": "1", **settings},
        wanted=wanted,
    )


def test_table_says_what_is_missing_and_what_differs() -> None:
    text = format_states([state(AAM_POSTS, 0), state(SEGMENT_MEMBERSHIP, 12, **{"cleanup.policy": "delete"})])
    missing, differing = text.splitlines()[1:]
    assert missing.split() == ["p-aam-posts", "-", "-", "delete,", "7", "d", "no", "key", "missing"]
    assert differing.endswith("cleanup.policy is delete, not compact")


def test_table_says_ok() -> None:
    assert format_states([state(AAM_POSTS, 12)]).endswith("ok")


def test_json_has_the_declared_settings_alone() -> None:
    assert states_as_json([state(AAM_POSTS, 12)]) == [
        {
            "name": "p-aam-posts",
            "exists": True,
            "partitions": 12,
            "replication_factor": 3,
            "settings": AAM_POSTS.configuration(),
            "differing": {},
        }
    ]


def test_json_of_a_missing_topic() -> None:
    (found,) = states_as_json([state(AAM_POSTS, 0, **{"retention.ms": "1"})])
    assert (found["exists"], found["differing"]) == (False, {})


def test_markdown_tells_of_every_topic_and_setting() -> None:
    text = render_markdown("p-")
    for topic in TOPICS:
        assert f"## `p-{topic.name}`" in text
        for key, value in topic.configuration().items():
            assert f"| `{key}` | `{value}` |" in text
