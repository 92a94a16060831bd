from pathlib import Path

import pytest

from runtime.errors import ConfigurationError
from runtime.traces_settings import TracesSettings
from runtime.tracing.opening import check_traces, tracing

ON = TracesSettings(endpoint="http://127.0.0.1:1")


def test_there_is_no_tracer_without_an_endpoint() -> None:
    with tracing(TracesSettings(), "ingest") as tracer:
        assert tracer is None


def test_sdk_that_is_switched_off_as_a_whole_stays_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "True")
    with tracing(ON, "ingest") as tracer:
        assert tracer is None


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"])
def test_missing_library_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr("runtime.tracing.opening.find_spec", lambda name: None if name.startswith(missing) else name)
    with pytest.raises(ConfigurationError, match=r"pip install 'segwire\[traces\]'"):
        check_traces(ON)
    check_traces(TracesSettings())


def test_missing_parent_package_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_a_package_that_is_not_there(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("runtime.tracing.opening.find_spec", of_a_package_that_is_not_there)
    with pytest.raises(ConfigurationError, match=r"segwire\[traces\]"):
        check_traces(ON)


def test_ca_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    settings = TracesSettings(endpoint="https://collector:4318", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(ConfigurationError, match=r"traces.ca_file: .*none.pem.* cannot be read"):
        check_traces(settings)
