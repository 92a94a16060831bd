import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from ingest.proxies import believing
from tests.support.asgi import ask


@pytest.mark.parametrize(
    ("trusted", "client", "scheme"),
    [
        ([], "127.0.0.1", "http"),
        (["10.0.0.0/8"], "127.0.0.1", "http"),
        (["127.0.0.1"], "203.0.113.9", "https"),
        (["127.0.0.0/8", "203.0.113.0/24"], "198.51.100.1", "https"),
    ],
)
def test_the_last_who_is_no_trusted_proxy_is_the_sender(trusted: list[str], client: str, scheme: str) -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    headers = [("x-forwarded-for", "192.0.2.66, 198.51.100.1, 203.0.113.9"), ("x-forwarded-proto", "https")]
    asyncio.run(ask(believing(app, trusted), "GET", "/", headers, []))
    assert (seen[0]["client"][0], seen[0]["scheme"]) == (client, scheme)
