"""The unpacked registry in the cache, from an archive of the test's own."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.pins import Pin
from segwire.embedded.kafka.progress import NoProgress
from segwire.embedded.registry.application import RegistryApplication
from segwire.embedded.registry.pin import REGISTRY_PIN


def packed(**files: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, contents in files.items():
            member = tarfile.TarInfo(f"lib/{name}")
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))
    return made.getvalue()


ARCHIVE = packed(one=b"first", two=b"second")
PIN = Pin("group", "app", "1", hashlib.sha256(ARCHIVE).hexdigest(), len(ARCHIVE), classifier="all", packaging="tar.gz")


class FakeFetch:
    def __init__(self, contents: bytes = ARCHIVE) -> None:
        self.contents = contents
        self.asked: list[tuple[str, bool]] = []

    def __call__(self, pin: Pin, scratch: Path, received: Callable[[int], None], *, fresh: bool) -> Path:
        self.asked.append((pin.artifact, fresh))
        path = scratch / "fetched"
        path.write_bytes(self.contents)
        received(len(self.contents))
        return path


def application(cache_dir: Path, fetch: FakeFetch) -> RegistryApplication:
    return RegistryApplication(cache_dir, fetch, NoProgress(), PIN)


def test_the_archive_is_fetched_once_and_not_kept(tmp_path: Path) -> None:
    fetch = FakeFetch()
    for _ in range(2):
        folder = application(tmp_path, fetch).ensure()
        assert {path.name: path.read_bytes() for path in (folder / "lib").iterdir()} == {
            "one": b"first",
            "two": b"second",
        }
    assert fetch.asked == [("app", False)]
    assert not list(tmp_path.rglob("*.tar.gz"))


@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(b"f"), lambda path: path.unlink()])
def test_what_was_damaged_is_fetched_again(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    fetch = FakeFetch()
    folder = application(tmp_path, fetch).ensure()
    harm(folder / "lib" / "one")
    assert (application(tmp_path, fetch).ensure() / "lib" / "one").read_bytes() == b"first"
    assert fetch.asked == [("app", False)] * 2


def test_an_archive_with_another_checksum_is_never_unpacked(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedKafkaError, match=rf"group:app:1 .* {PIN.sha256} is pinned.*schema_registry\.url"):
        application(tmp_path, FakeFetch(packed(one=b"evil"))).ensure()
    assert not (tmp_path / "app").exists()


def test_the_artifact_is_pinned_whole() -> None:
    assert REGISTRY_PIN.file_name == "apicurio-registry-app-3.3.3-all.tar.gz"
    assert len(REGISTRY_PIN.sha256) == 64
