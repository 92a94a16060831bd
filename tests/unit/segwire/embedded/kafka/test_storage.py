"""What is found wrong in a data directory before a broker trips over it."""

from pathlib import Path

import pytest

from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.storage import Storage, new_cluster_id, parse_meta

CLUSTER, OTHER, DIRECTORY = "MkU3OEVBNTcwNTJENDM2Qg", "AAAAAAAAAAAAAAAAAAAAAA", "O0oIEKWwQ7ynxLG1yKvZ0g"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage(tmp_path / "kafka")
    storage.make()
    storage.formatting.mkdir()
    (storage.formatting / "meta.properties").write_text(
        f"#\n#a comment\ncluster.id={CLUSTER}\nversion=1\ndirectory.id={DIRECTORY}\nnode.id=1\n"
    )
    storage.end_format(CLUSTER)
    return storage


def edit(storage: Storage, old: str, new: str) -> None:
    path = storage.data / "meta.properties"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_directory_in_order_gives_the_cluster_and_the_last_port(storage: Storage) -> None:
    storage.remember_port(CLUSTER, 19095)
    memory = storage.check()
    assert (memory.cluster_id, memory.port) == (CLUSTER, 19095)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (f"cluster.id={CLUSTER}", "cluster.id=%%%", "cluster.id=%%%, which is no ID"),
        (f"cluster.id={CLUSTER}", "", "cluster.id=, which is no ID"),
        (f"cluster.id={CLUSTER}", f"cluster.id={OTHER}", f"cluster.id={OTHER}, but .* made for {CLUSTER}"),
        (f"directory.id={DIRECTORY}", "directory.id=x", "directory.id=x, which is no ID"),
        ("node.id=1", "node.id=7", "node.id=7, it should be 1"),
        ("version=1", "version=", "version=, it should be 1"),
    ],
)
def test_wrong_value_is_told_with_its_file_and_the_remedy(storage: Storage, old: str, new: str, told: str) -> None:
    edit(storage, old, new)
    with pytest.raises(EmbeddedKafkaError, match=rf"corrupt: {storage.data}/meta\.properties says {told}.* mv "):
        storage.check()


def test_garbage_is_told_with_its_file_and_the_remedy(storage: Storage) -> None:
    (storage.data / "meta.properties").write_bytes(b"\xff\x00garbage")
    with pytest.raises(EmbeddedKafkaError, match=r"meta\.properties says version=, it should be 1"):
        storage.check()


def test_missing_metadata_beside_data_is_no_empty_directory(storage: Storage) -> None:
    (storage.data / "topic-0").mkdir()
    (storage.data / "meta.properties").unlink()
    assert storage.is_formatted()
    with pytest.raises(EmbeddedKafkaError, match=r"meta\.properties is missing.* mv "):
        storage.check()


@pytest.mark.parametrize("text", ["{", "[]", '{"port": 1}'])
def test_our_own_memory_is_only_a_convenience(storage: Storage, text: str) -> None:
    (storage.root / "segwire.json").write_text(text)
    assert storage.check().port is None


def test_half_done_formatting_is_not_taken_for_data(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.formatting.mkdir()
    (storage.formatting / "bootstrap.checkpoint").touch()
    assert not storage.is_formatted()
    storage.begin_format()
    assert not storage.formatting.exists()


def test_comma_in_the_path_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedKafkaError, match=r"a,b.*comma.*--data-dir"):
        Storage(tmp_path / "a,b").make()


def test_path_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedKafkaError, match=r"file/kafka cannot be written \(Not a directory\).*--data-dir"):
        Storage(tmp_path / "file" / "kafka").make()


def test_cluster_id_never_looks_like_an_option() -> None:
    ids = [new_cluster_id() for _ in range(500)]
    assert not [one for one in ids if one.startswith("-") or len(one) != 22]


def test_metadata_without_sense_are_no_values() -> None:
    assert parse_meta("\n#x=1\nnonsense\n a = b \n") == {"a": "b"}
