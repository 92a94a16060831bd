"""What a hosted loop is called."""

import pytest

from runtime.hosting import _stage, group_id
from runtime.settings import KafkaSettings


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("membership", "membership"),
        ("sink-warehouse", "sink:warehouse"),
        ("sink-warehouse:changes", "sink:warehouse"),
        ("sink-sink-a", "sink:sink-a"),
    ],
)
def test_dead_letters_of_every_loop_of_a_sink_have_the_stage_of_the_sink(name: str, stage: str) -> None:
    assert _stage(name) == stage


def test_each_loop_is_a_group_of_its_own() -> None:
    assert group_id(KafkaSettings(topic_prefix="t."), "sink-a:changes") == "t.segwire-sink-a:changes"
