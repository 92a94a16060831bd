"""Takes bearer tokens as the sender does: client credentials, one token until it expires or is refused.

Source: wire format, *Authenticity*; RFC 6749, section 4.4.
"""

import asyncio
import base64
from typing import Any
from urllib.parse import quote_plus

import aiohttp

from runtime.clock import Clock
from segwire.simulator.sender import NoTokenError

# A token is renewed so long before it expires, a short one after nine tenths of its life.
_MARGIN_S = 30.0
_MARGIN_SHARE = 0.1


class TokenTaker:
    """Holds one token for all connections; where it is missing, one of them takes another and the rest wait."""

    def __init__(self, url: str, client_id: str, secret: bytes, clock: Clock) -> None:
        """Ask at `url` as a client."""
        self._url = url
        credentials = f"{quote_plus(client_id)}:{quote_plus(secret)}"
        self._authorization = "Basic " + base64.b64encode(credentials.encode("ascii")).decode("ascii")
        self._clock = clock
        self._taking = asyncio.Lock()
        self._token: str | None = None
        self._renew_at_s: float | None = None

    async def take(self, session: aiohttp.ClientSession) -> str:
        """Return a token that is good as far as is known.

        Raises:
            NoTokenError: the endpoint answered something else.
            aiohttp.ClientError, OSError, TimeoutError: it did not answer.
        """
        async with self._taking:
            if self._token is None or (self._renew_at_s is not None and self._clock.monotonic_s() >= self._renew_at_s):
                await self._renew(session)
            assert self._token is not None
            return self._token

    def forget(self, token: str) -> None:
        """Hear that a token was refused: the next `take` asks for another."""
        if token == self._token:
            self._token = None

    async def _renew(self, session: aiohttp.ClientSession) -> None:
        asked_s = self._clock.monotonic_s()
        async with session.post(
            self._url,
            data=b"grant_type=client_credentials",
            headers={
                "Authorization": self._authorization,
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                "Accept-Encoding": "gzip",
            },
            allow_redirects=False,
        ) as response:
            members = await _members(response)
        token, lifetime_s = members.get("access_token"), _seconds(members.get("expires_in"))
        if response.status != 200 or not isinstance(token, str):
            error = f", error {members['error']}" if isinstance(members.get("error"), str) else ""
            raise NoTokenError(f"{self._url} answered {response.status}{error}, and no token")
        self._token = token
        self._renew_at_s = (
            None if lifetime_s is None else asked_s + lifetime_s - min(_MARGIN_S, _MARGIN_SHARE * lifetime_s)
        )


async def _members(response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        members = await response.json(content_type=None)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def _seconds(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type] # what is no number raises
    except (TypeError, ValueError):
        return None
