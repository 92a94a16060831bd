import io
import sys

import pytest
import structlog

from runtime.logs import keep_logs_off_output


def test_what_a_command_answers_is_not_mixed_with_logs(capsys: pytest.CaptureFixture[str]) -> None:
    keep_logs_off_output()
    structlog.get_logger().warning("kafka_client_error", code="_ALL_BROKERS_DOWN")
    said = capsys.readouterr()
    assert said.out == ""
    assert "kafka_client_error" in said.err


def test_a_stream_closed_since_takes_no_log_with_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        closed = io.StringIO()
        patch.setattr(sys, "stderr", closed)
        keep_logs_off_output()
        closed.close()
    structlog.get_logger().info("database_migrated", migration="0001_tables")
    assert "database_migrated" in capsys.readouterr().err
