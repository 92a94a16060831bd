"""The clients of the token endpoint, and which sources name them."""

import hmac
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

import msgspec

from runtime.secrets import Secret


class Client(msgspec.Struct, frozen=True):
    """One client at one source."""

    id: str
    secret: Secret
    source: str
    token_ttl_s: int


class Grant(msgspec.Struct, frozen=True):
    """What a client may have: a token for all the sources that name it."""

    client_id: str
    sources: frozenset[str]
    token_ttl_s: int


class Clients:
    """Checks credentials against every client, whatever is found on the way."""

    def __init__(self, clients: Sequence[Client]) -> None:
        """Know `clients`."""
        self._clients = tuple(clients)

    def grant(self, credentials: bytes) -> Grant | None:
        """Return what `id:secret` is good for; None where no source has a client with them.

        RFC 6749, section 2.3.1, wants both form-encoded before they are joined; many senders leave that out, so either
        spelling is accepted.
        """
        plain = _split(credentials)
        decoded = tuple(unquote_to_bytes(part.replace(b"+", b" ")) for part in plain)
        found = []
        for client in self._clients:
            known = (client.id.encode("ascii"), client.secret.value)
            if _same(known, plain) | _same(known, decoded):
                found.append(client)
        if not found:
            return None
        return Grant(
            found[0].id, frozenset(client.source for client in found), min(client.token_ttl_s for client in found)
        )


def _split(credentials: bytes) -> tuple[bytes, ...]:
    client_id, _, secret = credentials.partition(b":")
    return client_id, secret


def _same(known: tuple[bytes, ...], given: tuple[bytes, ...]) -> bool:
    same_id, same_secret = (hmac.compare_digest(*pair) for pair in zip(known, given, strict=True))
    return same_id & same_secret
