"""The seam that every way of authentication implements."""

from collections.abc import Sequence
from typing import Protocol

from ingest.request import Head


class Authenticator(Protocol):
    """Checks one source's requests."""

    def check(self, headers: Head, body: bytes) -> None:
        """Return for an authentic request; `headers` have lower-case names, `body` is as received.

        Raises:
            Refusal: the request is not authentic; nothing of it is stored.
        """


class Unauthenticated:
    """Everyone who reaches the port may send: for sources that say `allow_unauthenticated`."""

    def check(self, headers: Head, body: bytes) -> None:
        """Accept the request."""


class Every:
    """Several ways at once: each must be satisfied."""

    def __init__(self, ways: Sequence[Authenticator]) -> None:
        """Ask `ways` in order; the first that refuses is heard."""
        self._ways = tuple(ways)

    def check(self, headers: Head, body: bytes) -> None:
        """Accept what all accept."""
        for way in self._ways:
            way.check(headers, body)
