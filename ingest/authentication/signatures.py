"""Signed requests: base64 of an HMAC over the body as received, by any key that is valid now.

Source: wire format, *Authenticity*. No time or nonce is signed: a replayed request verifies, and changes nothing.
"""

import hashlib
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hmac import compare_digest
from typing import Final, NoReturn, final

from ingest.problems import BAD_SIGNATURE, Refusal
from ingest.request import Head
from runtime.authentication_settings import HmacAlgorithm
from runtime.clock import Clock
from runtime.secrets import Secret

# Of all three algorithms.
_BLOCK_BYTES = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_DIGEST_BYTES: Final[Mapping[HmacAlgorithm, int]] = {"md5": 16, "sha1": 20, "sha256": 32}


@final
class SigningKey:
    """One key and when it is valid, both ends included; None: no end."""

    __slots__ = ("not_after_ms", "not_before_ms", "secret")

    def __init__(self, secret: Secret, not_before_ms: int | None = None, not_after_ms: int | None = None) -> None:
        """Sign with what `secret` is at the time."""
        self.secret = secret
        self.not_before_ms = not_before_ms
        self.not_after_ms = not_after_ms

    def is_valid(self, now_ms: int) -> bool:
        """Tell whether the key is valid at a time."""
        return (self.not_before_ms is None or self.not_before_ms <= now_ms) and (
            self.not_after_ms is None or now_ms <= self.not_after_ms
        )


def sign(secret: bytes, algorithm: HmacAlgorithm, body: bytes) -> bytes:
    """Return the signature of a body as it stands in the header."""
    keyed_inner, keyed_outer = _keyed(secret, algorithm)
    inner, outer = keyed_inner.copy(), keyed_outer.copy()
    inner.update(body)
    outer.update(inner.digest())
    return b2a_base64(outer.digest(), newline=False)


# Of the source's keys, and of those that a rotation has replaced.
@lru_cache(maxsize=256)
def _keyed(secret: bytes, algorithm: HmacAlgorithm) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """Return the inner and the outer hash of an HMAC, the key in both: half of the work for a short body.

    Source: RFC 2104, section 4.
    """
    key = secret if len(secret) <= _BLOCK_BYTES else hashlib.new(algorithm, secret).digest()
    key = key.ljust(_BLOCK_BYTES, b"\0")
    return hashlib.new(algorithm, key.translate(_INNER)), hashlib.new(algorithm, key.translate(_OUTER))


@final
class SignedRequests:
    """Accepts requests signed by one of several keys."""

    def __init__(self, header: str, algorithm: HmacAlgorithm, keys: Sequence[SigningKey], clock: Clock) -> None:
        """Look for signatures in `header`."""
        self._header = header
        self._name = header.lower().encode("ascii")
        self._algorithm = algorithm
        self._keys = tuple(keys)
        self._clock = clock

    def check(self, headers: Head, body: bytes) -> None:
        """Accept a body whose signature is that of a valid key; every valid key is tried, in constant time.

        Raises:
            Refusal: 401 bad-signature.
        """
        given = headers.get(self._name)
        if given is None:
            self._refuse(f"There is no header {self._header}")
        now_ms = self._clock.now_ms()
        authentic = False
        for key in self._keys:
            if key.is_valid(now_ms):
                # Compared as text: only the one canonical base64 of the digest is a signature.
                authentic |= compare_digest(sign(key.secret.value, self._algorithm, body), given)
        if not authentic:
            self._refuse(self._what_is_wrong(given))

    def valid_keys(self) -> int:
        """Return how many keys are valid now."""
        now_ms = self._clock.now_ms()
        return sum(key.is_valid(now_ms) for key in self._keys)

    def _what_is_wrong(self, given: bytes) -> str:
        size_bytes = _DIGEST_BYTES[self._algorithm]
        try:
            well_formed = len(a2b_base64(given, strict_mode=True)) == size_bytes
        except (Error, ValueError):
            well_formed = False
        if not well_formed:
            return f"{self._header} is not the base64 of {size_bytes} bytes, an HMAC by {self._algorithm}"
        return (
            f"{self._header} is not the HMAC by {self._algorithm} of these body bytes under any key that is valid now"
        )

    def _refuse(self, what: str) -> NoReturn:
        challenge = f'HMAC header="{self._header}", algorithm="{self._algorithm}"'.encode("ascii")
        raise Refusal(BAD_SIGNATURE, f"{what}. {BAD_SIGNATURE.remedy}", headers=[(b"www-authenticate", challenge)])
