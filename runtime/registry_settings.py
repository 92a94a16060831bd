"""The configuration of the schema registry. Source: interfaces, *Configuration*."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from runtime.settings_base import Section


class SchemaRegistrySettings(Section):
    """The schema registry; without one the manifest's fixed IDs are used."""

    url: str | None = Field(
        None,
        min_length=1,
        description="of Confluent's API, which Apicurio has at /apis/ccompat/v7; none: there is no registry",
    )
    username: str | None = Field(None, min_length=1, description="for basic authentication")
    password_file: str | None = Field(None, min_length=1, description="file that holds the password; read at the start")
    password: SecretStr | None = Field(
        None, min_length=1, description="the password itself, for where there are no files"
    )
    ca_file: str | None = Field(
        None, min_length=1, description="PEM: the CAs that its certificate may be of; none: the system's"
    )

    @model_validator(mode="after")
    def _url_is_one(self) -> Self:
        if self.url is None:
            return self
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"schema_registry.url: {self.url!r} is no URL ({error})") from None
        if "@" in parts.netloc:
            raise ValueError(
                "schema_registry.url: a password in a URL is shown in logs; use username and password_file"
            )
        if parts.scheme not in {"https", "http"} or not host or parts.query or parts.fragment:
            raise ValueError(f"schema_registry.url: {self.url!r} is no URL of the shape https://HOST/PATH")
        return self

    @model_validator(mode="after")
    def _password_has_a_name(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("schema_registry: give password_file, the path of a file, or password; and not both")
        if (self.username is None) != (self.password is None and self.password_file is None):
            raise ValueError("schema_registry: username and password_file (or password) go together; give both or none")
        return self
