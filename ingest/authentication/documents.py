"""What the OpenAPI document says of authentication. Source: wire format, *Authenticity*; RFC 6749, section 5."""

from collections.abc import Iterable
from typing import Any

from runtime.settings import SourceSettings

Schema = dict[str, Any]

TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path

_CLIENT = "client"
_TOKEN = "token"  # noqa: S105 - a name in the document
_NO_STORE = {"cache-control": {"description": "Always `no-store`.", "schema": {"type": "string"}}}
_CHALLENGE = {"www-authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}}}


def security_schemes(sources: Iterable[SourceSettings]) -> Schema:
    """Return every way of authentication that the configured sources and the token endpoint know."""
    schemes: Schema = {
        _CLIENT: {"type": "http", "scheme": "basic", "description": "A client's ID and secret."},
        _TOKEN: {
            "type": "oauth2",
            "description": f"A bearer token from `{TOKEN_PATH}`, good at the sources that name its client.",
            "flows": {"clientCredentials": {"tokenUrl": TOKEN_PATH, "scopes": {}}},
        },
    }
    for source in sources:
        if source.hmac is not None:
            schemes[_signature(source)] = {
                "type": "apiKey",
                "in": "header",
                "name": source.hmac.header,
                "description": f"Base64 of the HMAC by {source.hmac.algorithm} over the body bytes as sent.",
            }
    return schemes


def message_security(sources: Iterable[SourceSettings]) -> list[dict[str, list[str]]]:
    """Return what the sources ask for: one alternative for each kind of source."""
    found: list[dict[str, list[str]]] = []
    for source in sources:
        asked: dict[str, list[str]] = {}
        if source.oauth2 is not None:
            asked[_TOKEN] = []
        if source.hmac is not None:
            asked[_signature(source)] = []
        if asked not in found:
            found.append(asked)
    return found


def _signature(source: SourceSettings) -> str:
    assert source.hmac is not None
    return f"signature-{source.hmac.header}-{source.hmac.algorithm}".lower()


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _answer(description: str, required: list[str], properties: Schema, headers: Schema) -> Schema:
    schema = {"type": "object", "required": required, "properties": properties}
    return {"description": description, "headers": headers, "content": {"application/json": {"schema": schema}}}


def _error(description: str, *codes: str, headers: Schema = _NO_STORE) -> Schema:
    properties = {
        "error": {"type": "string", "enum": list(codes)},
        "error_description": _text("What was wrong, for people."),
    }
    return _answer(description, ["error"], properties, headers)


TOKEN_RESPONSES: dict[int | str, Schema] = {
    200: _answer(
        "A token.",
        ["access_token", "token_type", "expires_in"],
        {
            "access_token": _text("A signed JWT; its content is not part of the contract."),
            "token_type": {"type": "string", "const": "Bearer"},
            "expires_in": {"type": "integer", "description": "How many seconds it is good for."},
        },
        _NO_STORE,
    ),
    400: _error("Not a request for a token.", "invalid_request", "unsupported_grant_type", "invalid_scope"),
    401: _error("Not a client of any source.", "invalid_client", headers=_NO_STORE | _CHALLENGE),
    413: _error("Far too long.", "invalid_request"),
}

TOKEN_ROUTE: Schema = {
    "description": "The client credentials grant of RFC 6749, section 4.4; errors as in its section 5.2.",
    "security": [{_CLIENT: []}],
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {"grant_type": {"type": "string", "const": "client_credentials"}},
                }
            }
        },
    },
}
