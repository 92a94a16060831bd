"""Pieces of authentication for tests: a clock that is set, keys, requests, and who is refused."""

import base64
from collections.abc import Callable

import pytest

from ingest.problems import Refusal
from runtime.secrets import Secret

NOW_MS = 1_764_000_000_000
KEY_A, KEY_B, KEY_C = (letter * 32 for letter in (b"a", b"b", b"c"))


class SetClock:
    """Says what a test set."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic_s(self) -> float:
        return self.at_ms / 1000


def secret(value: bytes = KEY_A) -> Secret:
    """Return a secret of a test."""
    return Secret("a test", value)


def basic(client_id: str, client_secret: str) -> str:
    """Return a value of the header Authorization, without form-encoding."""
    return "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()


def refusal(check: Callable[[], None]) -> Refusal:
    """Return the refusal that a check ends in."""
    with pytest.raises(Refusal) as caught:
        check()
    return caught.value


def challenge(refused: Refusal) -> str:
    """Return the answer's WWW-Authenticate."""
    return dict(refused.headers)[b"www-authenticate"].decode()
