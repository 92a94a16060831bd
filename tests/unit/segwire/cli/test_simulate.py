from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from runtime.errors import ConfigurationError
from segwire.cli.simulate import command


def invoke(tmp_path: Path, *arguments: str) -> None:
    command.main(["--data-dir", str(tmp_path), *arguments], standalone_mode=False)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGWIRE_KAFKA__BOOTSTRAP_SERVERS", raising=False)


def test_help_has_an_example() -> None:
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    assert "segwire simulate --users 20000 --segments 500 --rate 1000 --duration 60 --seed 7 --verify" in shown.output


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://here", "http://", "nowhere"])
def test_an_url_that_is_none_is_bad_usage_and_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="--url") as raised:
        invoke(tmp_path, "--url", url)
    assert repr(url) in str(raised.value)


def test_verifying_without_a_kafka_stops_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no Kafka is configured"):
        invoke(tmp_path, "--verify", "--url", "http://127.0.0.1:1")


def test_a_report_that_cannot_be_written_stops_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--report.*not/there"):
        invoke(tmp_path, "--report", str(tmp_path / "not/there/report.json"), "--url", "http://127.0.0.1:1")


@pytest.mark.parametrize("wrong", [("--users", "0"), ("--rate", "0"), ("--duration", "0"), ("--dates", "roman")])
def test_numbers_and_choices_out_of_range_are_bad_usage(tmp_path: Path, wrong: tuple[str, str]) -> None:
    with pytest.raises(click.BadParameter, match=wrong[1]):
        invoke(tmp_path, *wrong)
