"""Bearer tokens of our own: signed JWTs (HS256), good at the sources that they name until they expire.

Source: RFC 7519; RFC 7518, section 3.2. Every replica has the same keys: the first signs, all verify.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from runtime.clock import Clock
from runtime.secrets import Secret

KEY_BYTES_MIN = 32

_ALGORITHM = "HS256"
_ISSUER = "segwire"
# Ours are below 1 kB; what is longer is not parsed.
_TOKEN_BYTES_MAX = 16_384


class BadTokenError(Exception):
    """A token is not one of ours, or no longer good; the message says which."""


class Claims(msgspec.Struct, frozen=True):
    """What a verified token says; `key` is the one that verified it."""

    client_id: str
    sources: frozenset[str]
    expires_ms: int
    key: bytes


class _Payload(msgspec.Struct):
    iss: str
    sub: str
    aud: list[str]
    exp: int


class Tokens:
    """Issues tokens and verifies them."""

    def __init__(self, keys: Sequence[Secret], clock: Clock) -> None:
        """Sign with the first of `keys`; without any, there are no tokens."""
        self._keys = tuple(keys)
        self._clock = clock
        self._imported: dict[bytes, OctKey] = {}

    def issue(self, client_id: str, sources: Collection[str], ttl_s: int) -> str:
        """Return a token that is good for `ttl_s` seconds at `sources`."""
        now_s = -(-self._clock.now_ms() // 1000)
        claims = {"iss": _ISSUER, "sub": client_id, "aud": sorted(sources), "iat": now_s, "exp": now_s + ttl_s}
        return jwt.encode({"alg": _ALGORITHM}, claims, self._key(self._keys[0].value), [_ALGORITHM])

    def verify(self, token: bytes) -> Claims:
        """Return what a token says.

        Raises:
            BadTokenError: none of the keys signed it, or it has expired.
        """
        if len(token) > _TOKEN_BYTES_MAX:
            raise BadTokenError("it is too long")
        for secret in self._keys:
            value = secret.value
            try:
                payload = msgspec.convert(self._claims(token, value), _Payload)
            except (JoseError, msgspec.ValidationError, ValueError, TypeError, RecursionError):
                continue
            if payload.iss == _ISSUER:
                return self._unexpired(Claims(payload.sub, frozenset(payload.aud), payload.exp * 1000, value))
        raise BadTokenError("it was not issued here, or its key is no longer used")

    def still_good(self, claims: Claims) -> bool:
        """Tell whether a token verified before has neither expired nor lost its key."""
        return self._clock.now_ms() < claims.expires_ms and any(claims.key is secret.value for secret in self._keys)

    def _claims(self, token: bytes, key: bytes) -> dict[str, Any]:
        return jwt.decode(token, self._key(key), [_ALGORITHM]).claims

    def _unexpired(self, claims: Claims) -> Claims:
        if self._clock.now_ms() >= claims.expires_ms:
            raise BadTokenError("it has expired")
        return claims

    def _key(self, value: bytes) -> OctKey:
        key = self._imported.get(value)
        if key is None:
            if len(self._imported) > 2 * len(self._keys):
                self._imported.clear()
            key = self._imported[value] = OctKey.import_key(value)
        return key
