import pytest
from pydantic import ValidationError

from runtime.traces_settings import TracesSettings


def test_traces_are_off_by_default() -> None:
    assert TracesSettings().url is None


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("https://collector:4318/", "https://collector:4318/v1/traces"),
        ("https://otlp.example/tenant/v1/traces", "https://otlp.example/tenant/v1/traces"),
    ],
)
def test_path_is_what_collectors_have_unless_it_is_said(endpoint: str, url: str) -> None:
    assert TracesSettings(endpoint=endpoint).url == url


@pytest.mark.parametrize(
    "endpoint",
    [
        "collector:4318",
        "grpc://collector:4317",
        "http://",
        "http://user:word@collector",
        "http://c:4318?x=1",
        "http://[x",
    ],
)
def test_what_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError, match=r"traces\.endpoint: .* is no URL"):
        TracesSettings(endpoint=endpoint)


@pytest.mark.parametrize("ratio", [-0.1, 1.1])
def test_share_is_between_nothing_and_all(ratio: float) -> None:
    with pytest.raises(ValidationError):
        TracesSettings(sample_ratio=ratio)
