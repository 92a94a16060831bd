"""The topic reference for data engineers."""

from pathlib import Path

import pytest

from schemas.topics import TOPICS
from segwire.contracts.topics_page import PAGE, with_present_table

PAGE_TEXT = (Path(__file__).parents[4] / PAGE).read_text(encoding="utf-8")


def test_table_is_not_stale() -> None:
    assert with_present_table(PAGE_TEXT) == PAGE_TEXT, "python -m segwire.contracts.topics_page"


def test_changed_row_is_stale() -> None:
    changed = PAGE_TEXT.replace("| `aam-posts` | none |", "| `aam-posts` | some |")
    assert changed != PAGE_TEXT
    assert with_present_table(changed) == PAGE_TEXT


def test_every_public_topic_with_a_schema_is_in_the_first_table() -> None:
    first = PAGE_TEXT.partition("## What you can rely on")[0]
    assert [topic.name for topic in TOPICS if topic.value_schema and f"`{topic.name}`" not in first] == []


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic.value_schema], ids=lambda topic: topic.name)
def test_fixed_schema_ids_are_told(topic: object) -> None:
    (found,) = [each for each in TOPICS if each is topic]
    assert found.value_schema is not None
    text = " ".join(PAGE_TEXT.split())
    assert f"{found.value_schema.schema_id} for `{found.name}`" in text
