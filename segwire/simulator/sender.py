"""One attempt to deliver a body. Whoever runs a simulation brings the sender; tests bring one without sockets."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

import aiohttp

ANSWER_DUE_S = 3.0

# Makes the headers that authenticate a body.
Authenticate = Callable[[bytes], Mapping[str, str]]


class Sender(Protocol):
    """Delivers bodies, many at a time."""

    async def send(self, body: bytes) -> str:
        """Make one attempt; return the HTTP status as text, or `timeout` or `unreachable`. Never raises."""


def no_authentication(body: bytes) -> Mapping[str, str]:  # noqa: ARG001 - the shape of Authenticate
    """Return no headers: for a source that allows unauthenticated messages."""
    return {}


class HttpSender:
    """POSTs to one URL over kept connections; answers are due within 3000 ms. An async context manager.

    Source: wire format, *Transport*.
    """

    def __init__(self, url: str, *, connections: int, authenticate: Authenticate = no_authentication) -> None:
        """Prepare to send to `url`; nothing is opened yet."""
        self._url = url
        self._connections = connections
        self._authenticate = authenticate
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            timeout=aiohttp.ClientTimeout(total=ANSWER_DUE_S),
            headers={"Content-Type": "application/json", "User-Agent": "segwire-simulator"},
            skip_auto_headers=("Accept", "Accept-Encoding"),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def send(self, body: bytes) -> str:
        """Make one attempt; return the HTTP status as text, or `timeout` or `unreachable`."""
        assert self._session is not None, "use the sender as an async context manager"
        try:
            async with self._session.post(
                self._url, data=body, headers=self._authenticate(body), allow_redirects=False
            ) as response:
                await response.read()
                return str(response.status)
        except TimeoutError:
            return "timeout"
        except (aiohttp.ClientError, OSError):
            return "unreachable"
