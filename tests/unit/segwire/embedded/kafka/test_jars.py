"""The cache of jars, with a fetch that never leaves the test's own directory."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segwire.embedded.kafka.download import FetchError
from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.jars import JarCache
from segwire.embedded.kafka.pins import Pin
from segwire.embedded.kafka.progress import Download, NoProgress

CONTENTS = {"one": b"first jar", "two": b"second jar"}


def pin(name: str) -> Pin:
    contents = CONTENTS[name]
    return Pin("group", name, "1", hashlib.sha256(contents).hexdigest(), len(contents))


PINS = [pin("one"), pin("two")]


class FakeFetch:
    """Gives what it was told to, and counts."""

    def __init__(self, **contents: bytes | None) -> None:
        self.contents: dict[str, bytes | None] = {**CONTENTS, **contents}
        self.local: dict[str, bytes] = {}
        self.asked: list[str] = []

    def __call__(self, pin: Pin, scratch: Path, received: Callable[[int], None], *, fresh: bool) -> Path:
        self.asked.append(pin.artifact)
        contents = self.contents[pin.artifact]
        if not fresh:
            contents = self.local.get(pin.artifact, contents)
        if contents is None:
            raise FetchError("no route to host")
        if pin.artifact not in self.local:
            received(len(contents))
        path = scratch / "fetched"
        path.write_bytes(contents)
        return path


class Recorder(NoProgress):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.total_bytes = 0
        self.received_bytes = 0

    def say(self, message: str) -> None:
        self.said.append(message)

    @contextmanager
    def downloading(self, what: str, total_bytes: int) -> Iterator[Download]:  # noqa: ARG002
        self.total_bytes = total_bytes
        yield self

    def received(self, size_bytes: int) -> None:
        self.received_bytes += size_bytes


def jars_in(cache_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (cache_dir / "lib").iterdir()}


def test_missing_jars_are_fetched_and_given_in_the_order_of_the_pins(tmp_path: Path) -> None:
    progress = Recorder()
    paths = JarCache(tmp_path, PINS, FakeFetch(), progress).ensure()
    assert [path.read_bytes() for path in paths] == [b"first jar", b"second jar"]
    assert progress.received_bytes == progress.total_bytes == 19
    assert not list(tmp_path.glob(".download-*"))


def test_what_a_local_repository_had_counts_as_arrived(tmp_path: Path) -> None:
    progress, fetch = Recorder(), FakeFetch()
    fetch.local["one"] = CONTENTS["one"]
    JarCache(tmp_path, PINS, fetch, progress).ensure()
    assert progress.received_bytes == progress.total_bytes


def test_second_start_fetches_nothing_and_says_nothing(tmp_path: Path) -> None:
    JarCache(tmp_path, PINS, FakeFetch(), NoProgress()).ensure()
    fetch, progress = FakeFetch(), Recorder()
    JarCache(tmp_path, PINS, fetch, progress).ensure()
    assert fetch.asked == []
    assert progress.said == []


def test_jars_copied_from_another_machine_are_checked_and_taken(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    for name, contents in CONTENTS.items():
        (tmp_path / "lib" / f"{name}-1.jar").write_bytes(contents)
    fetch = FakeFetch()
    JarCache(tmp_path, PINS, fetch, NoProgress()).ensure()
    assert fetch.asked == []


def test_damaged_jar_is_named_and_fetched_again(tmp_path: Path) -> None:
    (_, damaged) = JarCache(tmp_path, PINS, FakeFetch(), NoProgress()).ensure()
    damaged.write_bytes(b"second jxr")
    fetch, progress = FakeFetch(), Recorder()
    JarCache(tmp_path, PINS, fetch, progress).ensure()
    assert fetch.asked == ["two"]
    assert damaged.read_bytes() == b"second jar"
    assert str(damaged) in progress.said[0]
    assert pin("two").sha256 in progress.said[0]


def test_wrong_contents_are_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedKafkaError, match=rf"group:two:1 arrived .* {pin('two').sha256} is pinned.*proxy"):
        JarCache(tmp_path, PINS, FakeFetch(two=b"something else"), NoProgress()).ensure()
    assert "two-1.jar" not in jars_in(tmp_path)
    assert not list(tmp_path.glob(".download-*"))


def test_damaged_copy_in_a_local_repository_is_passed_over(tmp_path: Path) -> None:
    fetch = FakeFetch()
    fetch.local["two"] = b"half a ja"
    JarCache(tmp_path, PINS, fetch, NoProgress()).ensure()
    assert jars_in(tmp_path)["two-1.jar"] == b"second jar"


def test_without_network_the_error_tells_the_remedies_and_what_arrived_is_kept(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedKafkaError, match=r"group:two:1 cannot be \(no route to host\)") as caught:
        JarCache(tmp_path, PINS, FakeFetch(two=None), NoProgress()).ensure()
    for remedy in ("network", "HTTPS_PROXY", f"copy {tmp_path}", "--kafka HOST:PORT"):
        assert remedy in str(caught.value)
    assert jars_in(tmp_path).keys() <= {"one-1.jar"}
    again = FakeFetch()
    JarCache(tmp_path, PINS, again, NoProgress()).ensure()
    assert jars_in(tmp_path) == {"one-1.jar": b"first jar", "two-1.jar": b"second jar"}


def test_leftovers_of_a_killed_download_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".download-dead").mkdir()
    JarCache(tmp_path, PINS, FakeFetch(), NoProgress()).ensure()
    assert not list(tmp_path.glob(".download-*"))


def test_two_that_fill_one_cache_at_once_fetch_every_jar_once(tmp_path: Path) -> None:
    fetch, go = FakeFetch(), threading.Barrier(2)

    def fill() -> None:
        go.wait()
        JarCache(tmp_path, PINS, fetch, NoProgress()).ensure()

    threads = [threading.Thread(target=fill) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fetch.asked) == ["one", "two"]


def test_cache_that_cannot_be_made_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EmbeddedKafkaError, match=r"file.* cannot be written \(Not a directory\).*XDG_CACHE_HOME"):
        JarCache(tmp_path / "file" / "cache", PINS, FakeFetch(), NoProgress()).ensure()
