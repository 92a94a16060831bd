"""How the simulator takes tokens, over real sockets, from an endpoint that does what a test wants."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from segwire.simulator.sender import HttpSender, NoTokenError
from segwire.simulator.token import TokenTaker
from tests.support.simulation import ManualClock

ASKED = "application/x-www-form-urlencoded; charset=UTF-8"


class Receiver:
    """Issues t-1, t-2, …, each with `members`; answers messages with `statuses`, the last of them for ever."""

    def __init__(self, members: dict[str, Any], *statuses: int, token_status: int = 200, packed: bool = False) -> None:
        self.members = members
        self.statuses: Sequence[int] = statuses or (200,)
        self.token_status = token_status
        self.packed = packed
        self.asked: list[tuple[str, str, bytes]] = []
        self.messages: list[str] = []

    async def token(self, request: web.Request) -> web.Response:
        self.asked.append((request.headers["Authorization"], request.headers["Content-Type"], await request.read()))
        members = {"access_token": f"t-{len(self.asked)}", "token_type": "Bearer"} | self.members
        payload = json.dumps(members).encode()
        headers = {"Content-Type": "application/json"}
        if self.packed:
            headers["Content-Encoding"] = "gzip"
            payload = gzip.compress(payload)
        return web.Response(body=payload, status=self.token_status, headers=headers)

    async def message(self, request: web.Request) -> web.Response:
        self.messages.append(request.headers["Authorization"])
        place = min(len(self.messages), len(self.statuses)) - 1
        return web.Response(status=self.statuses[place])

    @asynccontextmanager
    async def sender(self, clock: ManualClock, client_secret: bytes = b"s") -> AsyncIterator[HttpSender]:
        app = web.Application()
        app.router.add_post("/oauth2/token", self.token)
        app.router.add_post("/v1/aam/dev", self.message)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        tokens = TokenTaker(f"{url}/oauth2/token", "iris", client_secret, clock)
        try:
            async with HttpSender(f"{url}/v1/aam/dev", connections=8, tokens=tokens) as sender:
                yield sender
        finally:
            await runner.cleanup()


def send(receiver: Receiver, *pauses_s: float) -> list[str]:
    """Send a message, and another after each pause; return the answers."""

    async def scenario() -> list[str]:
        clock = ManualClock()
        async with receiver.sender(clock) as sender:
            answers = [await sender.send(b"{}")]
            for pause_s in pauses_s:
                clock.at_s += pause_s
                answers.append(await sender.send(b"{}"))
        return answers

    return asyncio.run(scenario())


def test_one_token_serves_many_messages_at_once() -> None:
    receiver = Receiver({"expires_in": 3600})

    async def scenario() -> list[str]:
        async with receiver.sender(ManualClock(), client_secret=b"p+%:\xc3\xa4") as sender:
            return await asyncio.gather(*(sender.send(b"{}") for _ in range(20)))

    assert asyncio.run(scenario()) == ["200"] * 20
    credentials = base64.b64encode(b"iris:p%2B%25%3A%C3%A4").decode()
    assert receiver.asked == [(f"Basic {credentials}", ASKED, b"grant_type=client_credentials")]
    assert receiver.messages == ["Bearer t-1"] * 20


@pytest.mark.parametrize(
    ("expires_in", "pause_s", "renewed"),
    [(3600, 3569, False), (3600, 3571, True), (10, 8.9, False), (10, 9.1, True), ("3600", 3571, True)],
)
def test_a_token_is_renewed_before_it_expires(expires_in: Any, pause_s: float, renewed: bool) -> None:
    receiver = Receiver({"expires_in": expires_in})
    assert send(receiver, pause_s) == ["200", "200"]
    assert receiver.messages[-1] == ("Bearer t-2" if renewed else "Bearer t-1")


@pytest.mark.parametrize("members", [{}, {"expires_in": None}, {"expires_in": "soon"}])
def test_without_a_lifetime_a_token_is_used_until_it_is_refused(members: dict[str, Any]) -> None:
    receiver = Receiver(members, 200, 200, 401, 200)
    assert send(receiver, 1_000_000, 1) == ["200"] * 3
    assert receiver.messages == ["Bearer t-1"] * 3 + ["Bearer t-2"]


def test_a_refused_token_is_replaced_only_once_in_an_attempt() -> None:
    receiver = Receiver({}, 401)
    assert send(receiver) == ["401"]
    assert receiver.messages == ["Bearer t-1", "Bearer t-2"]


def test_an_answer_may_be_packed() -> None:
    assert send(Receiver({}, packed=True)) == ["200"]


@pytest.mark.parametrize("members", [{"access_token": None}, {"access_token": 5}])
def test_an_answer_without_a_token_is_no_attempt(members: dict[str, Any]) -> None:
    receiver = Receiver(members)
    assert send(receiver) == ["no-token"]
    assert receiver.messages == []


def test_a_refusal_is_told_at_the_start_with_its_code() -> None:
    receiver = Receiver({"access_token": None, "error": "invalid_client"}, token_status=401)

    async def scenario() -> None:
        async with receiver.sender(ManualClock()) as sender:
            with pytest.raises(NoTokenError, match="answered 401, error invalid_client, and no token"):
                await sender.require_token()

    asyncio.run(scenario())


def test_an_endpoint_that_does_not_answer_is_told_at_the_start() -> None:
    async def scenario() -> None:
        tokens = TokenTaker("http://127.0.0.1:1/oauth2/token", "iris", b"s", ManualClock())
        async with HttpSender("http://127.0.0.1:1/v1/aam/dev", connections=1, tokens=tokens) as sender:
            with pytest.raises(NoTokenError, match="does not answer"):
                await sender.require_token()
            assert await sender.send(b"{}") == "unreachable"

    asyncio.run(scenario())
