"""Usage of the commands that look into a running system: what is refused before anything is asked of Kafka."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.errors import ConfigurationError
from segwire.cli.main import cli

KAFKA = {"SEGWIRE_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(*args: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(cli, args, env=KAFKA if env is None else env)


@pytest.mark.parametrize(
    "command",
    [
        "topics apply",
        "topics describe",
        "topics read",
        "topics render",
        "explain",
        "receipts",
        "dead-letters list",
        "dead-letters show",
        "dead-letters redrive",
        "doctor",
    ],
)
def test_help_has_an_example_and_the_configuration(command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"segwire {command}" in result.output.partition("Example")[2]
    assert "--config" in result.output


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["topics", "read", "segment-event"], "did you mean segment-events"),
        (["topics", "read", "segment-events", "--from", "noon"], "--from 'noon'"),
        (["dead-letters", "list", "--since", "noon"], "--since 'noon'"),
        (["dead-letters", "show", "17"], "they look like 3-1234"),
        (["dead-letters", "redrive", "17"], "they look like 3-1234"),
        (["dead-letters", "redrive", "--since", "noon"], "--since 'noon'"),
        (["dead-letters", "redrive", "--rate", "0"], "--rate '0'"),
        (["dead-letters", "redrive", "--rate", "5/min"], "--rate '5/min'"),
    ],
)
def test_bad_usage_is_refused_at_once(args: list[str], message: str) -> None:
    error = run(*args).exception
    assert isinstance(error, ConfigurationError)
    assert message in str(error)


@pytest.mark.parametrize(
    "args",
    [["topics", "apply"], ["topics", "describe"], ["topics", "read", "aam-posts"], ["explain", "1"]],
)
def test_without_any_kafka_the_remedy_is_told(args: list[str]) -> None:
    error = run(*args, env={}).exception
    assert isinstance(error, ConfigurationError)
    assert "SEGWIRE_KAFKA__BOOTSTRAP_SERVERS" in str(error)


@pytest.mark.parametrize(
    "args", [[], ["--destination", "p"], ["--dpid", "7"], ["--dpid", "7", "--aam-uuid", "1"], ["--partner-uuid", ""]]
)
def test_receipts_are_of_somebody(args: list[str]) -> None:
    assert run("receipts", *args).exit_code == 2


def test_limit_of_nothing_is_refused() -> None:
    assert run("topics", "read", "aam-posts", "--limit", "0").exit_code == 2


def test_manifest_is_rendered_without_kafka() -> None:
    result = run("topics", "render", "--format", "markdown", env={"SEGWIRE_KAFKA__TOPIC_PREFIX": "p-"})
    assert result.exit_code == 0
    assert "`p-segment-membership-changes`" in result.output


def test_doctor_exits_2_on_a_wrong_configuration() -> None:
    result = run("doctor", env={"SEGWIRE_KAFKA__BOOTSTRAP": "x"})
    assert result.exit_code == 2
    assert "✗ configuration" in result.output
    assert "the nearest valid one is kafka.bootstrap_servers" in result.output


def test_doctor_without_kafka_still_checks_the_machine() -> None:
    result = run("doctor", env={})
    assert result.exit_code == 2
    assert "✓ schemas" in result.output


@pytest.mark.parametrize("form", ["markdown", "asyncapi", "strimzi"])
def test_topics_of_configured_destinations_are_rendered(form: str, tmp_path: Path) -> None:
    file = tmp_path / "segwire.yaml"
    destination = '{url: "https://partner.example.org", client_id: 1, destination_id: 2, segments: {"3": {}}}'
    file.write_text(f"destinations: {{partner-a: {destination}}}\n", encoding="utf-8")
    result = run("topics", "render", "--format", form, "--config", str(file))
    assert result.exit_code == 0
    assert "outbound-state-partner-a" in result.output
