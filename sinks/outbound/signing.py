"""Signs messages. Source: wire format, section 5."""

import base64
import hashlib
import hmac
from typing import NamedTuple

from runtime.authentication_settings import HmacAlgorithm
from runtime.clock import Clock
from runtime.secrets import Secret

_DIGESTS = {"md5": hashlib.md5, "sha1": hashlib.sha1, "sha256": hashlib.sha256}


class NoCredential(Exception):  # noqa: N818 - named for what it tells
    """There is nothing to prove with that a message is ours."""


class Signer(NamedTuple):
    """Signs with one key, within its window of validity (epoch ms; None: unbounded)."""

    header: str
    algorithm: HmacAlgorithm
    key: Secret
    clock: Clock
    not_before_ms: int | None = None
    not_after_ms: int | None = None

    def headers(self, body: bytes) -> dict[str, str]:
        """Return the header with the signature of exactly these bytes.

        Raises:
            NoCredential: the key is not valid now.
        """
        now_ms = self.clock.now_ms()
        begun = self.not_before_ms is None or self.not_before_ms <= now_ms
        if not begun or (self.not_after_ms is not None and now_ms > self.not_after_ms):
            raise NoCredential(f"the signing key of {self.key.origin} is not valid now; see its not_before, not_after")
        return {self.header: signature(self.key.value, self.algorithm, body)}


def signature(key: bytes, algorithm: HmacAlgorithm, body: bytes) -> str:
    """Return the base64 of the HMAC of `body`."""
    return base64.b64encode(hmac.new(key, body, _DIGESTS[algorithm]).digest()).decode("ascii")
