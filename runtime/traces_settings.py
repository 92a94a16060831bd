"""The configuration of traces."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from runtime.settings_base import Section

_PATH = "/v1/traces"


class TracesSettings(Section):
    """OpenTelemetry traces over OTLP/HTTP; off unless there is an endpoint."""

    endpoint: str | None = Field(
        None, min_length=1, description="of a collector, as http://collector:4318; without a path /v1/traces; none: off"
    )
    sample_ratio: float = Field(
        0.01, ge=0, le=1, description="of the messages whose sender did not decide it by its own traceparent"
    )
    ca_file: str | None = Field(
        None, min_length=1, description="PEM: the CAs that the collector's certificate may be of; none: the usual ones"
    )

    @property
    def url(self) -> str | None:
        """Where spans are sent to, None: nowhere."""
        if self.endpoint is None or urlsplit(self.endpoint).path not in {"", "/"}:
            return self.endpoint
        return self.endpoint.rstrip("/") + _PATH

    @model_validator(mode="after")
    def _endpoint_is_a_url(self) -> Self:
        if self.endpoint is None:
            return self
        try:
            parts = urlsplit(self.endpoint)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"traces.endpoint: {self.endpoint!r} is no URL ({error})") from None
        if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError(
                f"traces.endpoint: {self.endpoint!r} is no URL of the shape http://HOST:PORT, where a collector takes "
                "OTLP over HTTP (mostly port 4318)"
            )
        return self
