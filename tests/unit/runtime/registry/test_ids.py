"""Which schema ID is used when."""

from pathlib import Path

import pytest

from runtime.errors import SegwireError
from runtime.registry.client import UnreachableRegistryError
from runtime.registry.ids import schema_id
from runtime.settings import Settings
from schemas.avro_schema import schema_text
from schemas.topics import SEGMENT_MEMBERSHIP
from tests.support.registry import URL, FakeRegistry


def settings(data_dir: Path, url: str | None = URL) -> Settings:
    registry = {"url": url}
    return Settings.model_validate(
        {"data_dir": str(data_dir), "kafka": {"topic_prefix": "eu."}, "schema_registry": registry}
    )


@pytest.fixture
def registry() -> FakeRegistry:
    fake = FakeRegistry()
    fake.put("other-value", '"string"')
    fake.put("eu.segment-membership-value", schema_text("SegmentMembership"))
    return fake


def test_without_a_registry_the_id_is_the_manifest_s(tmp_path: Path) -> None:
    assert schema_id(settings(tmp_path, None), SEGMENT_MEMBERSHIP) == 2


def test_with_a_registry_the_id_is_the_registry_s(tmp_path: Path, registry: FakeRegistry) -> None:
    assert schema_id(settings(tmp_path), SEGMENT_MEMBERSHIP, registry.connect) == 101


def test_a_schema_that_is_not_registered_stops_the_start_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SegwireError, match=r"eu\.segment-membership-value .*run: segwire topics apply"):
        schema_id(settings(tmp_path), SEGMENT_MEMBERSHIP, FakeRegistry().connect)


def test_a_registry_that_is_away_keeps_nobody_from_starting_again(tmp_path: Path, registry: FakeRegistry) -> None:
    schema_id(settings(tmp_path), SEGMENT_MEMBERSHIP, registry.connect)
    registry.away = True
    assert schema_id(settings(tmp_path), SEGMENT_MEMBERSHIP, registry.connect) == 101


def test_what_another_registry_said_is_not_believed(tmp_path: Path, registry: FakeRegistry) -> None:
    schema_id(settings(tmp_path), SEGMENT_MEMBERSHIP, registry.connect)
    registry.away = True
    with pytest.raises(UnreachableRegistryError):
        schema_id(settings(tmp_path, "http://other.test/v7"), SEGMENT_MEMBERSHIP, registry.connect)


@pytest.mark.parametrize("left", ["", "[]", '{"id": "101"}', '{"id": 101}'])
def test_a_memory_that_was_damaged_is_not_believed(tmp_path: Path, registry: FakeRegistry, left: str) -> None:
    schema_id(settings(tmp_path), SEGMENT_MEMBERSHIP, registry.connect)
    (tmp_path / "schemas" / "eu.segment-membership-value.json").write_text(left)
    registry.away = True
    with pytest.raises(UnreachableRegistryError):
        schema_id(settings(tmp_path), SEGMENT_MEMBERSHIP, registry.connect)
