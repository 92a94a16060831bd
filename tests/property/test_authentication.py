"""Signatures and tokens over any input."""

import base64
import hmac

from hypothesis import given
from hypothesis import strategies as st

from ingest.authentication.clients import Client, Clients
from ingest.authentication.signatures import SignedRequests, SigningKey, sign
from ingest.authentication.token_endpoint import TokenEndpoint
from ingest.authentication.tokens import BadTokenError, Tokens
from ingest.problems import Refusal
from runtime.authentication_settings import HmacAlgorithm
from tests.support.authentication import SetClock, secret

BODIES = st.binary(max_size=4096)
KEYS = st.binary(min_size=1, max_size=200)
ALGORITHMS: st.SearchStrategy[HmacAlgorithm] = st.sampled_from(["md5", "sha1", "sha256"])
TOKENS = Tokens([secret()], SetClock())


def accepts(requests: SignedRequests, signature: bytes, body: bytes) -> bool:
    try:
        requests.check({b"x-signature": signature}, body)
    except Refusal:
        return False
    return True


@given(BODIES, KEYS, ALGORITHMS)
def test_a_signature_is_the_standard_librarys_hmac(body: bytes, key: bytes, algorithm: HmacAlgorithm) -> None:
    assert sign(key, algorithm, body) == base64.b64encode(hmac.digest(key, body, algorithm))


@given(BODIES, KEYS, KEYS, ALGORITHMS)
def test_a_body_verifies_under_its_own_key_whatever_else_is_valid(
    body: bytes, key: bytes, other: bytes, algorithm: HmacAlgorithm
) -> None:
    keys = [SigningKey(secret(other)), SigningKey(secret(key))]
    assert accepts(SignedRequests("X-Signature", algorithm, keys, SetClock()), sign(key, algorithm, body), body)


@given(BODIES.filter(len), KEYS, ALGORITHMS, st.data())
def test_a_flipped_bit_of_body_or_signature_is_refused(
    body: bytes, key: bytes, algorithm: HmacAlgorithm, data: st.DataObject
) -> None:
    requests = SignedRequests("X-Signature", algorithm, [SigningKey(secret(key))], SetClock())
    signature = sign(key, algorithm, body)
    for changed, which in ((flipped(body, data), "body"), (flipped(signature, data), "signature")):
        pair = (signature, changed) if which == "body" else (changed, body)
        assert not accepts(requests, *pair)


def flipped(value: bytes, data: st.DataObject) -> bytes:
    place = data.draw(st.integers(0, len(value) - 1))
    bit = data.draw(st.integers(0, 7))
    return value[:place] + bytes([value[place] ^ (1 << bit)]) + value[place + 1 :]


@given(st.binary(max_size=200) | st.text(alphabet="abcdefghij.-_=eyJ", max_size=300).map(str.encode))
def test_nothing_that_looks_like_a_token_raises_anything_else(token: bytes) -> None:
    try:
        TOKENS.verify(token)
    except BadTokenError:
        return
    raise AssertionError("accepted")


# RFC 7617: an ID has no colon, neither has control characters.
@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters=":"), min_size=1),
    st.text(min_size=1).map(str.encode),
)
def test_any_credentials_get_a_token_as_they_are(client_id: str, client_secret: bytes) -> None:
    endpoint = TokenEndpoint(Clients([Client(client_id, secret(client_secret), "adobe", 60)]), TOKENS)
    encoded = base64.b64encode(client_id.encode() + b":" + client_secret).decode()
    answer = endpoint.answer(
        [f"Basic {encoded}"], "application/x-www-form-urlencoded", b"grant_type=client_credentials"
    )
    assert answer.status == 200


@given(st.lists(st.text(st.characters(max_codepoint=0xFF)), max_size=3), st.text(max_size=60), st.binary(max_size=200))
def test_the_token_endpoint_answers_whatever_is_asked(authorization: list[str], content_type: str, body: bytes) -> None:
    endpoint = TokenEndpoint(Clients([Client("iris", secret(), "adobe", 60)]), TOKENS)
    for kind in (content_type, "application/x-www-form-urlencoded"):
        assert endpoint.answer(authorization, kind, body).status in {400, 401}
