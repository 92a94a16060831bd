"""`POST /oauth2/token`: what is asked, what is answered. Pure; served by `token_route`.

Source: RFC 6749, sections 2.3, 4.4, 5; wire format, *Authenticity*.
"""

from binascii import Error, a2b_base64
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

import msgspec

from ingest.authentication.clients import Clients, Grant
from ingest.authentication.tokens import Tokens
from runtime.metrics import INGEST_TOKENS

_MEDIA_TYPE = "application/x-www-form-urlencoded"
_FIELDS_MAX = 32
_NOT_STORED = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
_CHALLENGE = ("WWW-Authenticate", 'Basic realm="segwire", charset="UTF-8"')


class TokenAnswer(msgspec.Struct, frozen=True):
    """An answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes


class TokenEndpoint:
    """Answers requests for tokens."""

    def __init__(self, clients: Clients, tokens: Tokens) -> None:
        """Issue `tokens` to `clients`."""
        self._clients = clients
        self._tokens = tokens

    def answer(self, authorization: Sequence[str], content_type: str, body: bytes) -> TokenAnswer:
        """Answer one request; `authorization` are all headers of that name."""
        try:
            fields = _fields(content_type, body)
            grant = self._authenticate(authorization, fields)
            _check_grant_type(fields)
        except _RefusedError as refused:
            INGEST_TOKENS.labels(refused.code).inc()
            return refused.answer()
        INGEST_TOKENS.labels("issued").inc()
        token = self._tokens.issue(grant.client_id, grant.sources, grant.token_ttl_s)
        return _answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": grant.token_ttl_s})

    def _authenticate(self, authorization: Sequence[str], fields: dict[str, str]) -> Grant:
        if len(authorization) > 1 or (authorization and "client_secret" in fields):
            raise _RefusedError("invalid_request", "The client authenticates in more than one way; use Basic alone")
        if not authorization:
            raise _RefusedError("invalid_client", "The client does not authenticate; send Authorization: Basic", 401)
        scheme, _, encoded = authorization[0].partition(" ")
        if scheme.lower() != "basic":
            raise _RefusedError("invalid_client", "Authorization is not of the scheme Basic", 401)
        try:
            credentials = a2b_base64(encoded.strip(" ").encode("ascii"), strict_mode=True)
        except (Error, ValueError):
            raise _RefusedError("invalid_client", "Authorization: Basic does not carry base64", 401) from None
        grant = self._clients.grant(credentials)
        if grant is None:
            raise _RefusedError("invalid_client", "No source has a client with this ID and secret", 401)
        return grant


class _RefusedError(Exception):
    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self._description = description
        self._status = status

    def answer(self) -> TokenAnswer:
        members = {"error": self.code, "error_description": self._description}
        return _answer(self._status, members, *([_CHALLENGE] if self._status == 401 else []))


def too_long(bytes_max: int) -> TokenAnswer:
    """Return the answer to a body that was not read to its end."""
    INGEST_TOKENS.labels("invalid_request").inc()
    return _RefusedError("invalid_request", f"The body has more than {bytes_max} bytes", 413).answer()


def _answer(status: int, members: Mapping[str, str | int], *headers: tuple[str, str]) -> TokenAnswer:
    fixed = (("Content-Type", "application/json"), *_NOT_STORED)
    return TokenAnswer(status, dict((*fixed, *headers)), msgspec.json.encode(members))


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    """Return the parameters of a body; one without a value counts as left out."""
    if content_type.partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise _RefusedError("invalid_request", f"Content-Type is not {_MEDIA_TYPE}")
    try:
        pairs = parse_qsl(body.decode("utf-8"), errors="strict", max_num_fields=_FIELDS_MAX, keep_blank_values=True)
    except ValueError:
        raise _RefusedError("invalid_request", "The body is not form-encoded UTF-8") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise _RefusedError("invalid_request", "A parameter is given more than once")
        fields[name] = value
    return {name: value for name, value in fields.items() if value}


def _check_grant_type(fields: dict[str, str]) -> None:
    grant_type = fields.get("grant_type")
    if grant_type is None:
        raise _RefusedError("invalid_request", "There is no grant_type; send grant_type=client_credentials")
    if grant_type != "client_credentials":
        raise _RefusedError("unsupported_grant_type", "The only grant_type here is client_credentials")
    if "scope" in fields:
        raise _RefusedError("invalid_scope", "There are no scopes here; leave the parameter out")
