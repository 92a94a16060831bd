"""The configuration of the HTTP server: limits, TLS, the proxies in front."""

from ipaddress import ip_address, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from runtime.settings_base import Section


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as error:
        raise ValueError(f"{error}; give an address or a network, as 10.0.0.0/8") from None
    return text


# YAML reads a bare 1.2 as a number.
TlsVersion = Annotated[Literal["1.2", "1.3"], BeforeValidator(str)]
Network = Annotated[str, AfterValidator(_network)]


class TlsSettings(Section):
    """HTTPS. The files are read again when they change; connections that are open go on."""

    cert_file: str = Field(min_length=1, description="PEM: the certificate, then what leads from it to its CA")
    key_file: str = Field(min_length=1, description="PEM: the certificate's key, without a password")
    client_ca_file: str | None = Field(
        None, min_length=1, description="PEM: a sender needs a certificate of one of these CAs; none: it needs none"
    )
    minimum_version: TlsVersion = "1.2"


class LimitSettings(Section):
    """What one worker grants to its connections."""

    max_connections: int = Field(
        10_000, ge=8, le=1_000_000, description="above it those that wait longest for their sender are ended"
    )
    max_head_bytes: int = Field(16_384, ge=1024, le=1 << 20, description="request line and headers, else 431")
    head_timeout_ms: int = Field(10_000, ge=500, le=600_000, description="until a request's headers are here, else 408")
    body_timeout_ms: int = Field(10_000, ge=500, le=600_000, description="from then until its body is here, else 408")
    idle_timeout_ms: int = Field(
        75_000, ge=500, le=3_600_000, description="between two requests; longer than the load balancer's own"
    )


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on is reachable from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
