"""Finding the topic that a person means."""

import pytest

from runtime.errors import ConfigurationError
from segwire.inspect.names import find_topic


@pytest.mark.parametrize("name", ["segment-events", "prod-segment-events"])
def test_prefix_may_be_left_out(name: str) -> None:
    assert find_topic(name, "prod-").name == "segment-events"


def test_unknown_topic_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean segment-membership-changes\?"):
        find_topic("segment-membership-change", "")


def test_topic_unlike_any_lists_all() -> None:
    with pytest.raises(ConfigurationError, match=r"there are aam-posts, .*dead-letters"):
        find_topic("zzz", "")


def test_another_prefix_is_not_ours() -> None:
    with pytest.raises(ConfigurationError, match="'test-segment-events' is no topic"):
        find_topic("test-segment-events", "prod-")
