"""Usage of `segwire sink NAME --backfill`: what is refused before anything is asked of Kafka."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.errors import ConfigurationError
from segwire.cli.main import cli

CONFIGURATION = """
kafka: {bootstrap_servers: "127.0.0.1:1"}
destinations:
  partner: {url: "https://partner.example/", client_id: "1", destination_id: "2", segments: {"14356": {}}}
"""


@pytest.fixture(autouse=True)
def _configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("segwire.yaml").write_text(CONFIGURATION)


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, ["sink", *args])


@pytest.mark.parametrize("args", [["partner", "--segment", "14356"], ["partner", "--restart"]])
def test_what_belongs_to_a_backfill_is_refused_without_one(args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert "go with --backfill" in result.output


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["partnr", "--backfill"], "the nearest is partner"),
        (["partner", "--backfill", "--segment", "14357"], "destinations.partner.segments has 14356"),
    ],
)
def test_backfill_of_what_is_not_configured_is_refused(args: list[str], message: str) -> None:
    error = run(*args).exception
    assert isinstance(error, ConfigurationError)
    assert message in str(error)
