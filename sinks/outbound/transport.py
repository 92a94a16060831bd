"""Connects to the very address that was checked, under the name that was asked for.

Were the name looked up again to connect, a second answer could lead elsewhere (DNS rebinding). So the connection goes
to the address, while `Host`, SNI and the certificate's check keep the name.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import httpx2

from runtime.clock import Clock
from sinks.outbound.addresses import check_addresses

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# A look-up for each message would put the name server in the way of all of them.
_KEPT_S = 30.0
_KEEPALIVE_S = 30.0


class Reach(NamedTuple):
    """Where messages may go beyond public addresses."""

    private: bool = False
    loopback: bool = False


class _Found(NamedTuple):
    addresses: Sequence[str]
    until_s: float


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, as the system orders them.

    Raises:
        OSError: it has none, or nobody could say.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class PinnedTransport(httpx2.AsyncBaseTransport):
    """An HTTP/1.1 transport with connections that are kept alive. Knows no proxies and follows no redirects."""

    def __init__(
        self, reach: Reach, tls: ssl.SSLContext, connections: int, clock: Clock, resolver: Resolve = resolve
    ) -> None:  # fmt: skip
        """Connect where `reach` allows, at most `connections` at a time, trusting whom `tls` trusts."""
        limits = httpx2.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEEPALIVE_S
        )
        self._inner = httpx2.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits)
        self._reach = reach
        self._clock = clock
        self._resolve = resolver
        self._found: dict[tuple[str, int], _Found] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request.

        Raises:
            ForbiddenAddress: the host leads to where nothing may go.
            httpx2.TransportError: the exchange failed.
        """
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._addresses(url.host, port)
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        for address in addresses[:-1]:
            try:
                return await self._send_to(address, request, url)
            except httpx2.ConnectError:
                continue
        try:
            return await self._send_to(addresses[-1], request, url)
        except httpx2.ConnectError:
            self._found.pop((url.host, port), None)
            raise

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()

    async def _send_to(self, address: str, request: httpx2.Request, url: httpx2.URL) -> httpx2.Response:
        request.url = url.copy_with(host=address)
        try:
            return await self._inner.handle_async_request(request)
        finally:
            request.url = url

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        now_s = self._clock.monotonic_s()
        found = self._found.get((host, port))
        if found is not None and now_s < found.until_s:
            return found.addresses
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpx2.ConnectError(f"{host} cannot be resolved: {error}") from error
        if not addresses:
            raise httpx2.ConnectError(f"{host} has no address")
        check_addresses(host, addresses, private=self._reach.private, loopback=self._reach.loopback)
        self._found[host, port] = _Found(addresses, now_s + _KEPT_S)
        return addresses
