"""The seam that every way of authentication implements."""

from collections.abc import Mapping
from typing import Protocol


class Authenticator(Protocol):
    """Checks one source's requests."""

    def check(self, headers: Mapping[bytes, bytes], body: bytes) -> None:
        """Return for an authentic request; `headers` have lower-case names, `body` is as received.

        Raises:
            Refusal: the request is not authentic; nothing of it is stored.
        """


class Unauthenticated:
    """Everyone who reaches the port may send: for sources that say `allow_unauthenticated`."""

    def check(self, headers: Mapping[bytes, bytes], body: bytes) -> None:
        """Accept the request."""
