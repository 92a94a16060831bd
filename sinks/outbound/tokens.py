"""Bearer tokens of a partner's token endpoint. Source: wire format, section 5; RFC 6749, section 4.4."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol
from urllib.parse import quote_plus

import msgspec

from runtime.clock import Clock
from runtime.secrets import Secret
from sinks.outbound.signing import NoCredential

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_GRANT = b"grant_type=client_credentials"
# A token that ends while a message travels would cost the message its retry.
_EARLY_S = 60.0
_OK = 200
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


class _TokenAnswer(msgspec.Struct):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a word of the RFC
    expires_in: int | float | str | None = None


class TokenReply(Protocol):
    """What the token endpoint answered."""

    @property
    def status(self) -> int:
        """The status."""

    @property
    def body(self) -> bytes:
        """The body, inflated."""


Post = Callable[[bytes, dict[str, str]], Awaitable[TokenReply]]


class _Token(NamedTuple):
    value: str
    until_s: float


class TokenSource:
    """Fetches a token when there is none, and keeps it until shortly before its end; many may ask at once."""

    def __init__(self, client_id: str, secret: Secret, post: Post, clock: Clock) -> None:
        """Ask with `post`, which sends a body and headers to the token endpoint."""
        self._client_id = client_id
        self._secret = secret
        self._post = post
        self._clock = clock
        self._token: _Token | None = None
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """Return a token that is good now.

        Raises:
            NoCredential: the token endpoint gave none.
        """
        async with self._lock:
            if self._token is None or self._clock.monotonic_s() >= self._token.until_s:
                self._token = await self._fetch()
            return self._token.value

    def refused(self, token: str) -> None:
        """Forget a token that a partner answered 401, unless there is already another."""
        if self._token is not None and self._token.value == token:
            self._token = None

    async def _fetch(self) -> _Token:
        reply = await self._post(_GRANT, {**_FORM, "Authorization": self._basic()})
        if reply.status != _OK:
            raise NoCredential(f"the token endpoint answered {reply.status}; check auth.oauth2 of the destination")
        try:
            answer = msgspec.json.decode(reply.body, type=_TokenAnswer)
            lives_s = None if answer.expires_in is None else float(answer.expires_in)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise NoCredential("the token endpoint's answer is no JSON object with an access_token") from None
        if answer.token_type.lower() != "bearer" or not _TOKEN.fullmatch(answer.access_token):
            raise NoCredential("the token endpoint gave no bearer token that can be sent")
        # Without `expires_in` it is good until somebody answers 401.
        until_s = float("inf")
        if lives_s is not None:
            until_s = self._clock.monotonic_s() + max(lives_s - _EARLY_S, lives_s / 2)
        return _Token(answer.access_token, until_s)

    def _basic(self) -> str:
        # RFC 6749, section 2.3.1: both are form-encoded first.
        secret = quote_plus(self._secret.value)
        return "Basic " + base64.b64encode(f"{quote_plus(self._client_id)}:{secret}".encode()).decode("ascii")
