"""Requests with a bearer token: verified once, remembered until it expires. Source: RFC 6750."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import NoReturn

from ingest.authentication.tokens import BadTokenError, Claims, Tokens
from ingest.problems import BAD_TOKEN, Refusal

_REMEMBERED_MAX = 10_000
_CHALLENGE = 'Bearer realm="segwire"'


class VerifiedTokens:
    """Remembers tokens that verified, by their hash, the least recently used forgotten first."""

    def __init__(self, tokens: Tokens, remembered_max: int = _REMEMBERED_MAX) -> None:
        """Verify with `tokens` what is not remembered."""
        self._tokens = tokens
        self._remembered_max = remembered_max
        self._claims: OrderedDict[bytes, Claims] = OrderedDict()

    def __len__(self) -> int:
        return len(self._claims)

    def verify(self, token: bytes) -> Claims:
        """Return what a token says.

        Raises:
            BadTokenError: it is not good, or no longer.
        """
        name = sha256(token).digest()
        claims = self._claims.get(name)
        if claims is not None:
            if self._tokens.still_good(claims):
                self._claims.move_to_end(name)
                return claims
            del self._claims[name]
        claims = self._claims[name] = self._tokens.verify(token)
        if len(self._claims) > self._remembered_max:
            self._claims.popitem(last=False)
        return claims


class BearerRequests:
    """Accepts requests of a source's clients."""

    def __init__(self, source: str, client_ids: Collection[str], tokens: VerifiedTokens) -> None:
        """Accept tokens that name `source` and were issued to one of `client_ids`."""
        self._source = source
        self._client_ids = frozenset(client_ids)
        self._tokens = tokens

    def check(self, headers: Mapping[bytes, bytes], body: bytes) -> None:  # noqa: ARG002 - nothing of it is signed
        """Accept a good token.

        Raises:
            Refusal: 401 bad-token.
        """
        given = headers.get(b"authorization")
        if given is None:
            _refuse("There is no header Authorization", _CHALLENGE)
        scheme, _, token = given.partition(b" ")
        if scheme.lower() != b"bearer":
            _refuse("Authorization is not of the scheme Bearer", _CHALLENGE)
        try:
            claims = self._tokens.verify(token.strip(b" "))
        except BadTokenError as error:
            _refuse_token(str(error))
        if self._source not in claims.sources or claims.client_id not in self._client_ids:
            _refuse_token(f"it was issued to a client that the source {self._source} does not name")


def _refuse_token(why: str) -> NoReturn:
    _refuse(f"The token is not accepted: {why}", f'{_CHALLENGE}, error="invalid_token", error_description="{why}"')


def _refuse(what: str, challenge: str) -> NoReturn:
    raise Refusal(BAD_TOKEN, f"{what}. {BAD_TOKEN.remedy}", headers=[(b"www-authenticate", challenge.encode("ascii"))])
