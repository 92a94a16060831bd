"""Tokens of a partner's token endpoint."""

import asyncio
import base64
import json
from typing import Any

import pytest

from runtime.secrets import Secret
from sinks.outbound.client import Reply
from sinks.outbound.signing import NoCredential
from sinks.outbound.tokens import TokenSource
from tests.support.loop import Clock


class Endpoint:
    """Gives tokens t1, t2, …; `fields` replace or add to the answer, or `raw` is answered as it is."""

    def __init__(self, **fields: Any) -> None:
        self.asked: list[tuple[bytes, dict[str, str]]] = []
        self.fields = fields
        self.raw: bytes | None = None
        self.status = 200

    async def post(self, body: bytes, headers: dict[str, str]) -> Reply:
        self.asked.append((body, headers))
        await asyncio.sleep(0)
        answer = {"access_token": f"t{len(self.asked)}", "token_type": "Bearer", **self.fields}
        return Reply(self.status, {}, self.raw if self.raw is not None else json.dumps(answer).encode())


def source(endpoint: Endpoint, clock: Clock | None = None, client_id: str = "us", secret: bytes = b"s") -> TokenSource:
    return TokenSource(client_id, Secret("a file", secret), endpoint.post, clock or Clock())


def test_the_request_is_that_of_the_rfc_with_both_credentials_form_encoded() -> None:
    endpoint = Endpoint()
    assert asyncio.run(source(endpoint, client_id="a b", secret=b"p+/=").token()) == "t1"
    ((body, headers),) = endpoint.asked
    assert body == b"grant_type=client_credentials"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"a+b:p%2B%2F%3D"


def test_many_who_ask_at_once_cost_one_request() -> None:
    endpoint = Endpoint()
    tokens = source(endpoint)

    async def ask() -> list[str]:
        return await asyncio.gather(*(tokens.token() for _ in range(20)))

    assert set(asyncio.run(ask())) == {"t1"}
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(("expires_in", "after_s", "expected"), [
    (3600, 3539, "t1"), (3600, 3540, "t2"), ("3600", 3540, "t2"), (10, 4, "t1"), (10, 5, "t2"), (None, 10**9, "t1"),
])  # fmt: skip
def test_a_token_is_kept_until_shortly_before_its_end(expires_in: object, after_s: int, expected: str) -> None:
    clock, endpoint = Clock(), Endpoint(**({} if expires_in is None else {"expires_in": expires_in}))
    tokens = source(endpoint, clock)
    asyncio.run(tokens.token())
    clock.at_s += after_s
    assert asyncio.run(tokens.token()) == expected


def test_a_refused_token_is_replaced_once_however_many_hear_of_it() -> None:
    endpoint = Endpoint()
    tokens = source(endpoint)

    async def refuse() -> list[str]:
        first = await tokens.token()
        tokens.refused(first)
        second = await tokens.token()
        tokens.refused(first)
        return [first, second, await tokens.token()]

    assert asyncio.run(refuse()) == ["t1", "t2", "t2"]


@pytest.mark.parametrize(
    "raw",
    [b"", b"no json", b"[]", b"{}", b'{"access_token": 7}', b'{"access_token": "a\\r\\nX: y"}', b'{"access_token": ""}',
     b'{"access_token": "a", "token_type": "mac"}', b'{"access_token": "a", "expires_in": "soon"}', b"[" * 10_000],
)  # fmt: skip
def test_a_bad_answer_gives_no_token_and_says_nothing_secret(raw: bytes) -> None:
    endpoint = Endpoint()
    endpoint.raw = raw
    with pytest.raises(NoCredential, match="the token endpoint") as failure:
        asyncio.run(source(endpoint, secret=b"hush").token())
    assert "hush" not in str(failure.value)


def test_a_refusal_names_the_setting_to_look_at() -> None:
    endpoint = Endpoint()
    endpoint.status = 401
    with pytest.raises(NoCredential, match=r"answered 401; check auth\.oauth2"):
        asyncio.run(source(endpoint).token())
