"""What cannot be: one clear message that says what, which value and what to do, and the exit code of its kind."""

import json
import socket
from pathlib import Path

import pytest

from tests.support.stack import Completed, Segwire, Up

FINDING, USAGE = 1, 2


def assert_one_clear_message(done: Completed, exit_code: int, *parts: str) -> None:
    """One message and nothing else on standard error, no traceback anywhere."""
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert done.stderr.startswith("segwire: "), done.stderr
    assert done.stderr.count("segwire: ") == 1
    assert "Traceback" not in done.stdout + done.stderr
    for part in parts:
        assert part in done.stderr


@pytest.mark.parametrize("command", [["up", "--no-ui"], ["ingest"], ["process", "membership"], ["simulate"]])
def test_unknown_key_stops_every_command_and_names_the_nearest(
    segwire: Segwire, tmp_path: Path, command: list[str]
) -> None:
    config = tmp_path / "segwire.yaml"
    config.write_text("membership: {default_ttl_day: 30}\n", encoding="utf-8")
    data_dir = tmp_path / "data"
    done = segwire.run(*command, "--config", str(config), "--data-dir", str(data_dir))
    assert_one_clear_message(done, USAGE, "membership.default_ttl_day", "default_ttl_days")
    assert not data_dir.exists()


def test_wrong_value_in_a_variable_is_named(segwire: Segwire, tmp_path: Path) -> None:
    done = segwire.run("up", "--no-ui", "--data-dir", str(tmp_path / "data"), SEGWIRE_KAFKA__PARTITIONS="none")
    assert_one_clear_message(done, USAGE, "none")
    assert "kafka.partitions" in done.stderr or "SEGWIRE_KAFKA__PARTITIONS" in done.stderr


def test_busy_port_is_named_before_anything_starts(segwire: Segwire, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = segwire.run("up", "--no-ui", "--data-dir", str(tmp_path / "data"), "--port", str(port))
    assert_one_clear_message(done, FINDING, "ingest.port", f"127.0.0.1:{port}", "--port")
    assert not (tmp_path / "data" / "kafka").exists()


def test_first_start_without_a_network_says_what_to_do(segwire: Segwire, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    done = segwire.run(
        *("up", "--no-ui", "--port", "0", "--data-dir", str(tmp_path / "data")),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        M2_REPO=str(tmp_path / "repository"),
        HTTPS_PROXY=nowhere,
        https_proxy=nowhere,
        NO_PROXY="",
        no_proxy="",
    )
    assert_one_clear_message(done, FINDING, "downloaded once", "Connect to the network", "--kafka HOST:PORT")


def test_corrupt_data_directory_is_named_with_the_way_out(segwire: Segwire, tmp_path: Path) -> None:
    stored = tmp_path / "data" / "kafka" / "data"
    stored.mkdir(parents=True)
    (stored / "meta.properties").write_text("version=1\nnode.id=1\ncluster.id=\n", encoding="utf-8")
    done = segwire.run("up", "--no-ui", "--port", "0", "--data-dir", str(tmp_path / "data"))
    assert_one_clear_message(done, FINDING, "corrupt", str(stored / "meta.properties"), f"mv {stored.parent} ")


def test_kafka_that_does_not_answer_is_named(segwire: Segwire, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        done = segwire.run("up", "--no-ui", "--port", "0", "--data-dir", str(tmp_path / "data"), "--kafka", address)
    assert_one_clear_message(done, FINDING, f"no broker answered at '{address}'", "check the address")


def test_malformed_kafka_address_is_a_usage_error(segwire: Segwire, tmp_path: Path) -> None:
    done = segwire.run("up", "--no-ui", "--data-dir", str(tmp_path / "data"), "--kafka", "broker-1")
    assert_one_clear_message(done, USAGE, "--kafka broker-1", "HOST:PORT")


def test_command_without_a_running_pipeline_says_how_to_find_one(segwire: Segwire, tmp_path: Path) -> None:
    done = segwire.run("explain", "1", "--data-dir", str(tmp_path / "data"))
    assert_one_clear_message(done, USAGE, str(tmp_path / "data"), "kafka.bootstrap_servers")


def test_second_up_on_the_same_data_says_who_holds_them(shared_up: Up) -> None:
    done = shared_up.ask("up", "--no-ui", "--port", "0")
    assert_one_clear_message(done, FINDING, str(shared_up.data_dir), f"process {shared_up.process.pid}")


def test_unknown_user_is_a_finding(shared_up: Up) -> None:
    assert_one_clear_message(shared_up.ask("explain", "404", "--json"), FINDING, "'404' is unknown")


def test_wrong_usage_exits_with_2(segwire: Segwire) -> None:
    done = segwire.run("up", "--no-such-option")
    assert done.returncode == USAGE
    assert "--no-such-option" in done.stderr


def test_message_that_is_none_is_refused_and_kept(shared_up: Up) -> None:
    assert shared_up.post(b'{"Users": "none"}') == 400
    letters = json.loads(shared_up.ask("dead-letters", "list", "--stage", "ingest", "--json").stdout)
    assert [letter["stage"] for letter in letters] == ["ingest"]
