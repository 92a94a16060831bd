"""Which addresses a message may go to. Pure.

A partner's name is the partner's to change: one that suddenly leads to an address of our own network would let
whoever controls it reach what only we can reach (server-side request forgery).
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

# IPv4 within IPv6, which a gateway unpacks: RFC 6052, RFC 4291 section 2.5.5.1.
_EMBEDDING = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))


class ForbiddenAddress(Exception):  # noqa: N818 - named for what it tells
    """A host leads to an address that nothing may be sent to."""


def check_addresses(host: str, addresses: Sequence[str], *, private: bool, loopback: bool) -> None:
    """Refuse a host when any of its addresses is not public, unless those are allowed.

    `private` allows private, link-local and loopback addresses; `loopback` those of this machine alone.

    Raises:
        ForbiddenAddress: with what to do.
    """
    for text in addresses:
        address = _unwrapped(ip_address(text))
        if not _is_allowed(address, private=private, loopback=loopback):
            raise ForbiddenAddress(
                f"{host} leads to {text}, which is no public address; set allow_private_addresses: true where the "
                "partner is inside your own network"
            )


def _is_allowed(address: IPv4Address | IPv6Address, *, private: bool, loopback: bool) -> bool:
    if address.is_loopback:
        return private or loopback
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        return False
    return address.is_global or private


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is None and any(address in network for network in _EMBEDDING) and int(address) > 1:
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    return inner or address
