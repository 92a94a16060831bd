"""The configuration of the partners to whom segment messages are sent. Source: wire format; interfaces, section 4."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from runtime.authentication_settings import ClientId, HmacKeySettings, HmacSettings, Moment, SecretSettings
from runtime.http_settings import is_loopback
from runtime.processor_settings import Port, ProcessorSettings
from runtime.settings_base import Section
from runtime.sink_settings import FIRST_SINK_PORT

# YAML reads 74323 as a number.
Identifier = Annotated[str, Field(min_length=1, max_length=256, coerce_numbers_to_str=True)]


class SigningSettings(HmacSettings):
    """Messages are signed: base64 of an HMAC over the body as sent."""

    keys: list[HmacKeySettings] = Field(
        min_length=1, max_length=1, description="the one that signs; its file is read again when it changes"
    )


class TokenClientSettings(SecretSettings):
    """Messages carry a bearer token from the partner's token endpoint."""

    token_url: str = Field(description="of the token endpoint; https")
    id: ClientId = Field(description="our client ID there")


class DestinationAuthenticationSettings(Section):
    """How messages prove that they are ours."""

    hmac: SigningSettings | None = None
    oauth2: TokenClientSettings | None = None

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if self.hmac is None and self.oauth2 is None:
            raise ValueError("needs hmac or oauth2; leave auth out where the partner wants neither")
        return self


class MappingSettings(Section):
    """A segment that the destination gets."""

    value: Identifier | None = Field(None, description="sent as Segment_ID; none: the segment's own ID")
    start: Moment | None = Field(None, description="sent from then on")
    end: Moment | None = Field(None, description="sent up to then; none: never ends")

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(
                f"start {self.start.isoformat()} is not before end {self.end.isoformat()}: it would never be sent"
            )
        return self


class DestinationSettings(ProcessorSettings):
    """A partner to whom segment messages are sent; runs as a sink of this name."""

    management_port: Port = Field(
        FIRST_SINK_PORT, description="where none is given, sinks and then destinations count on from 8084"
    )
    url: str = Field(description="where messages are posted to; https")
    client_id: Identifier = Field(description="Client_ID of the messages: our account at the partner")
    destination_id: Identifier = Field(description="AAM_Destination_Id of the messages")
    dpid: int | None = Field(
        None, ge=0, le=(1 << 63) - 1, description="data source of the partner IDs sent; none: those that have none"
    )
    auth: DestinationAuthenticationSettings | None = None
    mode: Literal["realtime", "batch"] = Field("realtime", description="batch: what changed, at most every 24 h")
    batch_records: int = Field(500, ge=1, le=100_000, description="most rows whose messages are sent together")
    max_users_per_message: int = Field(10, ge=1, le=1000)
    connections: int = Field(16, ge=1, le=1000, description="messages that are sent at the same time")
    timeout_ms: int = Field(3000, ge=100, le=60_000, description="until a message that has no answer has failed")
    ca_file: str | None = Field(
        None, min_length=1, description="PEM: the CAs that the partner's certificate may be of; none: the system's"
    )
    allow_private_addresses: bool = Field(False, description="send also to private and link-local addresses")
    allow_plain_http: bool = Field(False, description="for development: http to this machine's own loopback")
    send_traceparent: bool = Field(
        False, description="with traces on: tell the partner of the trace in the header traceparent"
    )
    segments: dict[Identifier, MappingSettings] = Field(min_length=1, description="the segments mapped to it")

    @model_validator(mode="after")
    def _urls_are_safe(self) -> Self:
        self._check_url("url", self.url)
        if self.auth is not None and self.auth.oauth2 is not None:
            self._check_url("auth.oauth2.token_url", self.auth.oauth2.token_url)
        return self

    def _check_url(self, setting: str, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"{setting}: {url!r} is no URL ({error})") from None
        if parts.scheme not in {"https", "http"} or not host:
            raise ValueError(f"{setting}: {url!r} is no URL of the shape https://HOST/PATH")
        if "@" in parts.netloc or parts.fragment:
            raise ValueError(f"{setting}: user information and fragments are not sent; take them out, and use auth")
        if parts.scheme == "http" and not (self.allow_plain_http and is_loopback(host)):
            raise ValueError(
                f"{setting}: {url!r} is plain HTTP, which anyone on the way can read; use https. For development, "
                "allow_plain_http: true permits http to this machine (127.0.0.1)"
            )
