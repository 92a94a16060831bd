"""One attempt to deliver a body. Whoever runs a simulation brings the sender; tests bring one without sockets."""

import ssl
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
        """Make one attempt; return the HTTP status as text, or `timeout`, `unreachable`, `no-token`. Never raises."""


class TokenSource(Protocol):
    """Gives the bearer token of the next request."""

    async def take(self, session: aiohttp.ClientSession) -> str:
        """Return a token. Raises NoTokenError, or what the session raises."""

    def forget(self, token: str) -> None:
        """Hear that a token was refused."""


class NoTokenError(Exception):
    """The token endpoint did not give a token; the message says what it answered."""


def no_authentication(body: bytes) -> Mapping[str, str]:  # noqa: ARG001 - the shape of Authenticate
    """Return no headers: for a source that allows unauthenticated messages."""
    return {}


class HttpSender:
    """POSTs to one URL over kept connections; answers are due within 3000 ms. An async context manager.

    Source: wire format, *Transport*.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int,
        authenticate: Authenticate = no_authentication,
        tokens: TokenSource | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare to send to `url`; nothing is opened yet. `tls` says whom to trust, else the system does."""
        self._url = url
        self._connections = connections
        self._authenticate = authenticate
        self._tokens = tokens
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ssl=self._tls or True),
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

    async def require_token(self) -> None:
        """See that there is a token, where tokens are used.

        Raises:
            NoTokenError: the endpoint gives none.
        """
        if self._tokens is not None:
            try:
                await self._tokens.take(self._opened())
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise NoTokenError(f"the token endpoint does not answer ({str(error) or 'not in time'})") from None

    async def send(self, body: bytes) -> str:
        """Make one attempt; return the HTTP status as text, or `timeout`, `unreachable` or `no-token`.

        A refused token is replaced, and the body sent once more: that is the same attempt.
        """
        try:
            if self._tokens is None:
                return str(await self._post(body, {}))
            for _ in range(2):
                token = await self._tokens.take(self._opened())
                status = await self._post(body, {"Authorization": f"Bearer {token}"})
                if status != 401:
                    break
                self._tokens.forget(token)
            return str(status)
        except NoTokenError:
            return "no-token"
        except TimeoutError:
            return "timeout"
        except (aiohttp.ClientError, OSError):
            return "unreachable"

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        async with self._opened().post(
            self._url, data=body, headers={**headers, **self._authenticate(body)}, allow_redirects=False
        ) as response:
            await response.read()
            return response.status

    def _opened(self) -> aiohttp.ClientSession:
        assert self._session is not None, "use the sender as an async context manager"
        return self._session
