"""The embedded Kafka against the real thing."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from segwire.embedded.data_lock import is_alive
from segwire.embedded.errors import EmbeddedServerError
from segwire.embedded.kafka.cache import default_cache_dir
from segwire.embedded.kafka.download import fetch_by_jgo
from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.interface import KafkaServer
from segwire.embedded.kafka.java import find_java, start_cache_path
from segwire.embedded.kafka.pins import load_pins
from segwire.embedded.kafka.ports import any_free_port
from segwire.embedded.kafka.server import EmbeddedKafka
from tests.support.kafka import create_topic, produce_all, read_all, wait_until


@contextmanager
def segwire_kafka(data_dir: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`segwire kafka` as a process, and its bootstrap servers from its ready file."""
    ready = data_dir.with_name(f"{data_dir.name}.ready.json")
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "segwire.cli.main", "kafka", "--data-dir", str(data_dir)]
    process = subprocess.Popen([*command, "--ready-file", str(ready), *options])
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None, "a ready file", 240)
        assert process.poll() is None
        yield process, json.loads(ready.read_text())["bootstrap_servers"]
    finally:
        process.kill()
        process.wait()


def java_below(process: subprocess.Popen[bytes]) -> psutil.Process:
    (found,) = (child for child in psutil.Process(process.pid).children() if "kafka.Kafka" in child.cmdline())
    return found


def test_record_goes_in_and_comes_out(kafka: KafkaServer, topic_prefix: str) -> None:
    topic = f"{topic_prefix}records"
    create_topic(kafka.bootstrap_servers, topic)
    produce_all(kafka.bootstrap_servers, topic, [b"one", b"two"])
    assert read_all(kafka.bootstrap_servers, topic) == [b"one", b"two"]


def test_broker_dies_with_its_parent_killed_by_force_and_the_data_stay(tmp_path: Path) -> None:
    with segwire_kafka(tmp_path / "data") as (process, servers):
        broker = java_below(process)
        create_topic(servers, "kept")
        produce_all(servers, "kept", [b"acknowledged"])
        process.kill()
        process.wait()
        wait_until(lambda: not is_alive(broker.pid), "the broker's end")
    with segwire_kafka(tmp_path / "data") as (_, again):
        assert again == servers, "the port is remembered"
        assert read_all(again, "kept") == [b"acknowledged"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_the_command_and_its_broker_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with segwire_kafka(tmp_path / "data", "--port", "0") as (process, _):
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(60) == 0
        wait_until(lambda: not any(is_alive(child.pid) for child in children), "the end of all children")
    clean = (tmp_path / "data/kafka/data/.kafka_cleanshutdown").exists()
    assert clean, "Kafka has marked its logs as closed in order"


def test_command_ends_with_1_and_the_last_words_when_the_broker_dies(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with segwire_kafka(tmp_path / "data", "--port", "0") as (process, _):
        java_below(process).kill()
        assert process.wait(60) == 1
    assert "exit code -9" in capfd.readouterr().err


def test_broker_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path, port=0, train=False)
    starter = threading.Thread(target=kafka.start)
    starter.start()
    starter.join()
    try:
        create_topic(kafka.bootstrap_servers, "after")
        assert kafka.poll() is None
    finally:
        kafka.stop()


def test_second_start_on_the_same_data_says_who_holds_it(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path, port=0, train=False) as first:
        with pytest.raises(EmbeddedServerError) as caught:
            EmbeddedKafka(tmp_path, port=0, train=False).start()
        assert first.poll() is None
    message = str(caught.value)
    assert f"process {os.getpid()}" in message
    assert "pytest" in message
    assert "--data-dir" in message


def test_named_port_that_is_busy_is_refused_by_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(EmbeddedKafkaError, match=rf"Port {port} .*process {os.getpid()} .*--port"):
            EmbeddedKafka(tmp_path, port=port, train=False).start()


def test_another_broker_that_was_quicker_to_take_the_port_is_not_mistaken_for_ours(
    kafka: KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = int(kafka.bootstrap_servers.rpartition(":")[2])
    ports = iter([taken, any_free_port()])
    monkeypatch.setattr("segwire.embedded.kafka.server.choose_port", lambda *_: next(ports))
    with EmbeddedKafka(tmp_path) as ours:
        assert ours.bootstrap_servers != kafka.bootstrap_servers
        assert ours.poll() is None


def test_next_start_takes_another_port_where_the_remembered_one_is_busy(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path, train=False) as first:
        servers = first.bootstrap_servers
        create_topic(servers, "kept")
        produce_all(servers, "kept", [b"here"])
    with (
        socket.create_server(("127.0.0.1", int(servers.split(":")[1]))),
        EmbeddedKafka(tmp_path, train=False) as second,
    ):
        assert second.bootstrap_servers != servers
        assert read_all(second.bootstrap_servers, "kept") == [b"here"]


@pytest.fixture
def own_cache(tmp_path: Path) -> Path:
    """A cache directory with the shared one's jars, and a start cache that is none."""
    cache_dir = tmp_path / "cache"
    cache_dir.mkdir()
    (cache_dir / "lib").symlink_to(default_cache_dir() / "lib")
    bad_start_cache(cache_dir).write_bytes(b"\xca\xfe" * 4096)
    return cache_dir


def bad_start_cache(cache_dir: Path) -> Path:
    java = find_java([cache_dir / "lib" / pin.file_name for pin in load_pins()])
    return start_cache_path(java, cache_dir)


def test_unusable_start_cache_does_not_prevent_a_start_and_is_removed(tmp_path: Path, own_cache: Path) -> None:
    with EmbeddedKafka(tmp_path / "data", port=0, cache_dir=own_cache, train=False) as kafka:
        assert kafka.poll() is None
    assert not bad_start_cache(own_cache).exists()


def test_directory_with_blanks_and_umlauts_is_used(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path / "größe 大 \\ x", port=0, train=False) as kafka:
        create_topic(kafka.bootstrap_servers, "anywhere")
    assert list((tmp_path / "größe 大 \\ x/kafka/data").glob("anywhere-0"))


@pytest.fixture
def used_data_dir(tmp_path: Path) -> Path:
    with EmbeddedKafka(tmp_path, port=0, train=False):
        pass
    return tmp_path


def test_corrupt_metadata_are_told_with_the_last_words_of_the_broker(used_data_dir: Path, own_cache: Path) -> None:
    (used_data_dir / "kafka/data/__cluster_metadata-0/quorum-state").write_text("nonsense")
    with pytest.raises(
        EmbeddedKafkaError, match=r"(?s)ended by itself.*server\.log.*Unrecognized token 'nonsense'.*mv "
    ):
        EmbeddedKafka(used_data_dir, port=0, cache_dir=own_cache, train=False).start()
    assert bad_start_cache(own_cache).exists(), "the data were at fault, not the start cache"


def test_interrupted_formatting_is_begun_again(used_data_dir: Path) -> None:
    root = used_data_dir / "kafka"
    (root / "data").rename(root / "data.formatting")
    (root / "data.formatting" / "meta.properties").unlink()
    with EmbeddedKafka(used_data_dir, port=0, train=False) as kafka:
        assert kafka.poll() is None


def test_first_start_without_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("M2_REPO", str(tmp_path / "no-repository"))
    cache_dir = tmp_path / "cache"
    with pytest.raises(EmbeddedKafkaError, match=r"downloaded once.*network.*--kafka HOST:PORT"):
        EmbeddedKafka(tmp_path / "data", cache_dir=cache_dir, fetch=fetch_by_jgo, train=False).start()
    assert not (tmp_path / "data").exists()
    assert [path for path in cache_dir.rglob("*") if path.is_file()] == [cache_dir / ".lock"]
