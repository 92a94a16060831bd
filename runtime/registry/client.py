"""A client of the API that Confluent's schema registry has, and Apicurio, Redpanda and Karapace as well.

Source: Confluent's Schema Registry API reference; only what is used of it. Blocks; not thread-safe.
"""

import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2

from runtime.errors import ConfigurationError, SegwireError
from runtime.registry_settings import SchemaRegistrySettings
from runtime.secrets import read_secret

_TIMEOUT_S = 10.0
_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_SHOWN_CHARACTERS = 500


class RegistryError(SegwireError):
    """The registry did not do what was asked of it."""


class UnreachableRegistryError(RegistryError):
    """The registry did not answer."""


class IncompatibleSchemaError(RegistryError):
    """The registry refuses a schema that would break those who read or write with another version."""


class RegistryClient:
    """One registry."""

    def __init__(self, settings: SchemaRegistrySettings, transport: httpx2.BaseTransport | None = None) -> None:
        """Describe the connection; nothing is asked yet.

        Args:
            settings: where it is; its URL is set.
            transport: answers instead of the network.

        Raises:
            ConfigurationError: the password or the certificates cannot be read.
        """
        assert settings.url is not None, "who has no registry asks none"
        self.url = settings.url.rstrip("/")
        self._http = httpx2.Client(
            auth=_authentication(settings),
            verify=_trusted(settings),
            timeout=_TIMEOUT_S,
            headers={"Content-Type": _MEDIA_TYPE, "Accept": f"{_MEDIA_TYPE}, application/json"},
            transport=transport,
        )

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def find(self, subject: str, schema: str) -> int | None:
        """Return the ID of a schema that is registered under a subject, None where it is not.

        Raises:
            RegistryError: as every method here: it does not answer, or answers something else.
        """
        found = self._ask("POST", f"/subjects/{quote(subject, safe='')}", {"schema": schema})
        return None if found is None else self._number(found, "id")

    def has(self, subject: str) -> bool:
        """Tell whether anything is registered under a subject."""
        return bool(self._ask("GET", f"/subjects/{quote(subject, safe='')}/versions"))

    def knows(self, schema_id: int) -> bool:
        """Tell whether there is a schema of this ID."""
        return self._ask("GET", f"/schemas/ids/{schema_id}") is not None

    def compatibility(self, subject: str) -> str | None:
        """Return the rule that a subject has of its own, None where it has none."""
        found = self._ask("GET", f"/config/{quote(subject, safe='')}")
        return None if found is None else str(found.get("compatibilityLevel"))

    def set_compatibility(self, subject: str, rule: str) -> None:
        """Give a subject a rule of its own."""
        self._expect("PUT", f"/config/{quote(subject, safe='')}", {"compatibility": rule})

    def accepts(self, subject: str, schema: str) -> bool:
        """Tell whether a schema could be registered under a subject by its rule."""
        path = f"/compatibility/subjects/{quote(subject, safe='')}/versions"
        found = self._ask("POST", path, {"schema": schema})
        return found is None or found.get("is_compatible") is True

    def register(self, subject: str, schema: str) -> int:
        """Register a schema unless it is there already, and return its ID.

        Raises:
            IncompatibleSchemaError: the subject's rule does not allow it; with the registry's own reasons.
        """
        found = self._expect("POST", f"/subjects/{quote(subject, safe='')}/versions", {"schema": schema})
        return self._number(found, "id")

    def _expect(self, method: str, path: str, body: dict[str, str]) -> dict[str, Any]:
        found = self._ask(method, path, body)
        if not isinstance(found, dict):
            raise RegistryError(f"schema_registry.url: {self.url} has no {path}; is it the URL of Confluent's API?")
        return found

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        """Return the document of the answer, None where what was asked for is not there."""
        try:
            answer = self._http.request(method, self.url + path, json=body)
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise UnreachableRegistryError(
                f"schema_registry.url: {self.url} does not answer ({type(error).__name__}: {error}); check the address "
                "and that the registry runs"
            ) from None
        document = _document(answer)
        # An unknown subject, version or schema has a code of its own; any other 404 is not from a registry.
        if answer.status_code == httpx2.codes.NOT_FOUND and _code(document) // 100 == httpx2.codes.NOT_FOUND:
            return None
        if answer.status_code == httpx2.codes.CONFLICT:
            raise IncompatibleSchemaError(_said(answer, document))
        if answer.status_code in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
            raise RegistryError(
                f"schema_registry.url: {self.url} refuses {method} {path} with {answer.status_code}; check "
                "schema_registry.username and password_file, and what that user may do"
            )
        if not answer.is_success or document is None:
            raise RegistryError(
                f"schema_registry.url: {self.url} answers {answer.status_code} to {method} {path} "
                f"({_said(answer, document)}); check that it is the URL of Confluent's API (of Apicurio it ends in "
                "/apis/ccompat/v7) and that the registry is healthy"
            )
        return document

    def _number(self, document: Any, name: str) -> int:
        number = document.get(name) if isinstance(document, dict) else None
        if not isinstance(number, int):
            raise RegistryError(f"schema_registry.url: {self.url} answers without {name}; it is no schema registry")
        return number


def _authentication(settings: SchemaRegistrySettings) -> httpx2.Auth | None:
    if settings.username is None:
        return None
    if settings.password is not None:
        return httpx2.BasicAuth(settings.username, settings.password.get_secret_value())
    assert settings.password_file is not None, "the settings check it"
    password = read_secret("schema_registry.password_file", Path(settings.password_file))
    return httpx2.BasicAuth(settings.username, password)


def _trusted(settings: SchemaRegistrySettings) -> ssl.SSLContext | bool:
    if settings.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"schema_registry.ca_file: {settings.ca_file} cannot be read ({error}); name a PEM file of certificates"
        ) from None


def _document(answer: httpx2.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _code(document: Any) -> int:
    code = document.get("error_code") if isinstance(document, dict) else None
    return code if isinstance(code, int) else 0


def _said(answer: httpx2.Response, document: Any) -> str:
    message = document.get("message") if isinstance(document, dict) else None
    return str(message or answer.text or answer.reason_phrase)[:_SHOWN_CHARACTERS].strip()
