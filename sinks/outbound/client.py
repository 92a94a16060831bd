"""One exchange with a partner: a signed POST and its answer, all of it within one deadline."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, TypeVar

import httpx2

from runtime.clock import Clock
from sinks.outbound.addresses import ForbiddenAddress
from sinks.outbound.signing import NoCredential, Signer
from sinks.outbound.tokens import TokenSource
from sinks.outbound.verdict import Answer, asked_wait_s

_T = TypeVar("_T")

_JSON = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "segwire"}
_NONE: Mapping[str, str] = {}
_UNAUTHORIZED = 401
# Of an answer that says nothing we need; what a partner sends beyond it is not read.
_BODY_MAX_BYTES = 64 << 10
_REASON_CHARACTERS_MAX = 200


class Reply(NamedTuple):
    """An answer as it came; the body up to a limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Endpoint:
    """Posts to one URL."""

    def __init__(self, http: httpx2.AsyncClient, url: str, timeout_s: float) -> None:
        """Have a whole exchange done within `timeout_s`, from looking up the host to the end of the answer."""
        self._http = http
        self._url = url
        self._timeout_s = timeout_s

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a body and read the answer.

        Raises:
            TimeoutError: it took too long.
            httpx2.HTTPError: it failed.
            ForbiddenAddress: the host leads to where nothing may go.
        """
        async with (
            asyncio.timeout(self._timeout_s),
            self._http.stream("POST", self._url, content=body, headers=headers) as response,
        ):
            read = bytearray()
            # Decoded here, so that a small answer cannot become a large one unseen.
            async for part in response.aiter_bytes(4096):
                read += part
                if len(read) > _BODY_MAX_BYTES:
                    break
            return Reply(response.status_code, response.headers, bytes(read))


class Client:
    """Sends messages to one partner. Never raises for what the partner or the way there does."""

    def __init__(
        self, endpoint: Endpoint, clock: Clock, signer: Signer | None = None, tokens: TokenSource | None = None
    ) -> None:
        """Prove with `signer`, `tokens`, or both, that messages are ours."""
        self._endpoint = endpoint
        self._clock = clock
        self._signer = signer
        self._tokens = tokens

    async def send(self, body: bytes, further: Mapping[str, str] = _NONE) -> Answer:
        """Make one attempt, with `further` headers; a token that is refused is fetched anew, once."""
        sent_at_ms, began_s = self._clock.now_ms(), self._clock.monotonic_s()
        reply, error, reason = await _caught(lambda: self._exchange(body, further))
        latency_ms = round((self._clock.monotonic_s() - began_s) * 1000)
        if reply is None:
            return Answer(None, error, reason[:_REASON_CHARACTERS_MAX], sent_at_ms, latency_ms)
        ok = reply.status == httpx2.codes.OK
        error = "" if ok else f"status-{reply.status}"
        reason = "" if ok else f"the partner answered {reply.status}"
        wait_s = asked_wait_s(reply.status, reply.headers.get("retry-after"), self._clock.now_ms())
        return Answer(reply.status, error, reason, sent_at_ms, latency_ms, wait_s)

    async def _exchange(self, body: bytes, further: Mapping[str, str]) -> Reply:
        headers = {**_JSON, **further}
        if self._signer is not None:
            headers |= self._signer.headers(body)
        if self._tokens is None:
            return await self._endpoint.post(body, headers)
        token = await self._tokens.token()
        reply = await self._endpoint.post(body, {**headers, "Authorization": f"Bearer {token}"})
        if reply.status != _UNAUTHORIZED:
            return reply
        self._tokens.refused(token)
        token = await self._tokens.token()
        return await self._endpoint.post(body, {**headers, "Authorization": f"Bearer {token}"})


async def _caught(call: Callable[[], Awaitable[_T]]) -> tuple[_T | None, str, str]:
    """Return what `call` gives, or the stable class of its failure and the reason; never a secret."""
    try:
        return await call(), "", ""
    except (TimeoutError, httpx2.TimeoutException):
        return None, "timeout", "no whole answer in time"
    except ForbiddenAddress as error:
        return None, "forbidden-address", str(error)
    except NoCredential as error:
        return None, "no-credential", str(error)
    except httpx2.ConnectError as error:
        is_certificate = _has_cause(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error)
        return None, "bad-certificate" if is_certificate else "unreachable", str(error) or type(error).__name__
    except httpx2.HTTPError as error:
        return None, "broken-answer", f"{type(error).__name__}: {error}"


def _has_cause(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False
