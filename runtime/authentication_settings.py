"""The configuration of who may send: secrets, signatures, clients. Source: wire format, *Authenticity*."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from runtime.settings_base import Section

HmacAlgorithm = Literal["md5", "sha1", "sha256"]


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        value = _parsed(value)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)  # YAML reads a bare date as one.
    if not isinstance(value, datetime):
        raise ValueError("not an ISO 8601 time, as 2026-01-31T00:00:00Z")  # noqa: TRY004 - pydantic wants this class
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not an ISO 8601 time, as 2026-01-31T00:00:00Z") from None


# Without an offset a time is UTC.
Moment = Annotated[datetime, BeforeValidator(_moment)]
ClientId = Annotated[str, Field(pattern=r"^[\x20-\x39\x3b-\x7e]{1,256}$", coerce_numbers_to_str=True)]


class SecretSettings(Section):
    """Where a secret comes from: a file, or the value itself."""

    secret_file: str | None = Field(
        None, min_length=1, description="file that holds the secret; read again when it changes"
    )
    secret: SecretStr | None = Field(None, min_length=1, description="the secret itself, for where there are no files")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("needs secret_file, the path of a file, or secret; and not both")
        return self


class HmacKeySettings(SecretSettings):
    """One signing key; keys whose windows overlap are rotated without a refusal."""

    not_before: Moment | None = Field(None, description="valid from then on")
    not_after: Moment | None = Field(None, description="valid up to then")

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        if self.not_before is not None and self.not_after is not None and self.not_before >= self.not_after:
            raise ValueError(
                f"not_before {self.not_before.isoformat()} is not before not_after {self.not_after.isoformat()}: "
                "the key would never be valid"
            )
        return self


class HmacSettings(Section):
    """Signed requests: base64 of an HMAC over the body as received."""

    header: str = Field(
        "X-Signature", pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$", description="that carries the signature"
    )
    algorithm: HmacAlgorithm = "sha1"
    keys: list[HmacKeySettings] = Field(min_length=1, max_length=16, description="each that is valid now is accepted")


class OAuth2ClientSettings(SecretSettings):
    """One client of the token endpoint; the same `id` twice gives it two secrets while one is rotated."""

    id: ClientId = Field(description="any printable characters but a colon")


class OAuth2Settings(Section):
    """Bearer tokens from our own `POST /oauth2/token`."""

    clients: list[OAuth2ClientSettings] = Field(min_length=1, max_length=256)
    token_ttl_s: int = Field(3600, ge=1, le=86_400, description="how long a token is good")
