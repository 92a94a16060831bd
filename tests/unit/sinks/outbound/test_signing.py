"""Signatures of messages."""

from typing import Any

import pytest

from runtime.secrets import Secret
from sinks.outbound.signing import NoCredential, Signer, signature
from tests.support.loop import Clock

KEY = b"sample_partner_private_key"
BODY = b"POST message content"


def signer(**window: Any) -> Signer:
    return Signer("X-Signature", "sha1", Secret("a file", KEY), Clock(), **window)


def test_the_published_vector() -> None:
    assert signature(KEY, "sha1", BODY) == "+wFdR/afZNoVqtGl8/e1KJ4ykPU="
    assert signer().headers(BODY) == {"X-Signature": "+wFdR/afZNoVqtGl8/e1KJ4ykPU="}


def test_the_other_algorithms_by_agreement() -> None:
    assert signature(b"key", "md5", b"The quick brown fox jumps over the lazy dog") == "gAcHE0Y+d0m5DC3CSRHidQ=="
    assert signature(b"key", "sha256", b"The quick brown fox jumps over the lazy dog") == (
        "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg="
    )


def test_a_key_that_was_replaced_signs_from_the_next_message_on() -> None:
    made = signer()
    made.key.value = b"another"
    assert made.headers(BODY) != signer().headers(BODY)


def test_nothing_is_signed_outside_the_keys_window() -> None:
    now_ms = Clock().now_ms()
    assert signer(not_before_ms=now_ms, not_after_ms=now_ms).headers(BODY)
    for window in ({"not_before_ms": now_ms + 1}, {"not_after_ms": now_ms - 1}):
        with pytest.raises(NoCredential, match="a file is not valid now"):
            signer(**window).headers(BODY)
