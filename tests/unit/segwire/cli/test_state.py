"""What `segwire state publish-rows` says, without Kafka."""

import json

import pytest
from click.testing import CliRunner, Result

from segwire.cli import connection
from segwire.cli.state import command
from segwire.inspect import log_reader, row_publishing
from segwire.inspect.row_publishing import Written


def publish_rows(monkeypatch: pytest.MonkeyPatch, written: Written, *options: str) -> Result:
    monkeypatch.setattr(connection, "connected_settings", lambda settings: settings)
    monkeypatch.setattr(log_reader, "LogReader", lambda _: None)
    monkeypatch.setattr(row_publishing, "publish_rows", lambda *_: [written])
    return CliRunner().invoke(command, ["publish-rows", *options])


def test_rows_of_all_users_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    done = publish_rows(monkeypatch, Written(3, users=2, rows=5))
    assert (done.exit_code, done.output) == (0, "partition 3: 5 rows of 2 users written\n")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_state_that_cannot_be_read_is_named_and_a_finding(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    done = publish_rows(monkeypatch, Written(3, 2, 5, unreadable=1, example="193: it is cut off"), *options)
    assert done.exit_code == 1
    assert "193: it is cut off" in done.output
    if options:
        assert json.loads(done.output)[0]["unreadable"] == 1
