"""Opens the tracer of a service, where traces are configured."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import structlog

from runtime.errors import ConfigurationError
from runtime.traces_settings import TracesSettings
from runtime.tracing.tracer import Tracer

# The SDK's own switch: what it gives then has no IDs, and must not get into records.
_SDK_DISABLED: Final = "OTEL_SDK_DISABLED"

_log = structlog.get_logger()


@contextmanager
def tracing(settings: TracesSettings, service: str) -> Iterator[Tracer | None]:
    """Give the tracer of a service, None where traces are off; what it has is sent in the end, for two seconds at most.

    Raises:
        ConfigurationError: the libraries are not installed, or the CA file cannot be read.
    """
    url = settings.url
    if url is None or os.environ.get(_SDK_DISABLED, "").strip().lower() == "true":
        yield None
        return
    check_traces(settings)
    from runtime.tracing.otlp import otlp_tracer

    tracer = otlp_tracer(service, url, settings.ca_file)
    _log.info("traces_on", endpoint=url)
    try:
        yield tracer
    finally:
        tracer.close()


def check_traces(settings: TracesSettings) -> None:
    """See that what is configured can be done, without loading or starting anything.

    Raises:
        ConfigurationError: the libraries are not installed, or the CA file cannot be read.
    """
    if settings.endpoint is None:
        return
    if not _is_installed():
        raise ConfigurationError(
            f"traces.endpoint: {settings.endpoint!r} needs the OpenTelemetry SDK, which is not installed; run: "
            "pip install 'segwire[traces]', or take the setting out"
        )
    if settings.ca_file is not None:
        try:
            Path(settings.ca_file).read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"traces.ca_file: {settings.ca_file!r} cannot be read ({error.strerror}); name a readable PEM file"
            ) from None


def _is_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None and (
            find_spec("opentelemetry.sdk.trace") is not None
        )
    except ModuleNotFoundError:
        return False
