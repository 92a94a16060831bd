import base64
import hashlib
import hmac

import pytest

from ingest.authentication.signatures import SignedRequests, SigningKey, sign
from ingest.problems import BAD_SIGNATURE, Refusal
from runtime.authentication_settings import HmacAlgorithm
from tests.support.authentication import KEY_A, KEY_B, KEY_C, NOW_MS, SetClock, challenge, refusal, secret

BODY = b"POST message content"
PUBLISHED_KEY = b"sample_partner_private_key"
PUBLISHED_SIGNATURE = b"+wFdR/afZNoVqtGl8/e1KJ4ykPU="


def signed(
    *keys: SigningKey, header: str = "X-Signature", algorithm: HmacAlgorithm = "sha1", clock: SetClock | None = None
) -> SignedRequests:
    return SignedRequests(header, algorithm, keys, clock or SetClock())


def accepts(requests: SignedRequests, signature: bytes, body: bytes = BODY) -> bool:
    try:
        requests.check({b"x-signature": signature}, body)
    except Refusal as refused:
        return refused.problem is not BAD_SIGNATURE
    return True


def test_the_published_vector_is_accepted() -> None:
    assert sign(PUBLISHED_KEY, "sha1", BODY) == PUBLISHED_SIGNATURE
    assert accepts(signed(SigningKey(secret(PUBLISHED_KEY))), PUBLISHED_SIGNATURE)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_every_agreed_algorithm_is_checked_as_the_standard_library_computes_it(algorithm: HmacAlgorithm) -> None:
    signature = base64.b64encode(hmac.new(KEY_A, BODY, getattr(hashlib, algorithm)).digest())
    for configured in ("md5", "sha1", "sha256"):
        requests = signed(SigningKey(secret()), algorithm=configured)
        assert accepts(requests, signature) is (configured == algorithm)


def test_an_empty_body_is_signed_like_any_other() -> None:
    requests = signed(SigningKey(secret()))
    assert accepts(requests, sign(KEY_A, "sha1", b""), b"")
    assert not accepts(requests, sign(KEY_A, "sha1", BODY), b"")


def test_the_header_is_the_configured_one_whatever_its_case() -> None:
    requests = signed(SigningKey(secret()), header="X-Partner-SIGNATURE")
    requests.check({b"x-partner-signature": sign(KEY_A, "sha1", BODY)}, BODY)
    refused = refusal(lambda: requests.check({b"x-signature": sign(KEY_A, "sha1", BODY)}, BODY))
    assert "There is no header X-Partner-SIGNATURE" in refused.detail


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"=",
        b"not base64 at all",
        b"\xff\xfe",
        b"AAAA",
        PUBLISHED_SIGNATURE[:-1],
        PUBLISHED_SIGNATURE + b"=",
        PUBLISHED_SIGNATURE + b"\n",
        b" " + PUBLISHED_SIGNATURE,
        b"sha1=" + PUBLISHED_SIGNATURE,
        PUBLISHED_SIGNATURE.replace(b"/", b"_").replace(b"+", b"-"),
        base64.b64decode(PUBLISHED_SIGNATURE).hex().encode(),
        b"A" * 100_000,
    ],
)
def test_what_is_no_signature_is_refused_as_such(given: bytes) -> None:
    requests = signed(SigningKey(secret(PUBLISHED_KEY)))
    refused = refusal(lambda: requests.check({b"x-signature": given}, BODY))
    assert (refused.problem, refused.problem.status) == (BAD_SIGNATURE, 401)
    assert "is not the base64 of 20 bytes" in refused.detail


@pytest.mark.parametrize("given", [PUBLISHED_SIGNATURE.swapcase(), PUBLISHED_SIGNATURE[:-2] + b"V="])
def test_a_well_formed_signature_in_other_letters_does_not_match(given: bytes) -> None:
    # The second decodes to the same bytes, but for unused bits: it is not the canonical text.
    assert not accepts(signed(SigningKey(secret(PUBLISHED_KEY))), given)


def test_a_refusal_says_how_to_sign_and_tells_nothing_of_the_key() -> None:
    requests = signed(SigningKey(secret(KEY_A)), algorithm="sha256")
    refused = refusal(lambda: requests.check({b"x-signature": sign(KEY_B, "sha256", BODY)}, BODY))
    assert "any key that is valid now" in refused.detail
    assert challenge(refused) == 'HMAC header="X-Signature", algorithm="sha256"'
    expected = sign(KEY_A, "sha256", BODY).decode()
    assert expected not in refused.detail
    assert KEY_A.decode() not in refused.detail + repr(requests) + repr(SigningKey(secret(KEY_A)))


@pytest.mark.parametrize(
    ("not_before_ms", "not_after_ms", "valid"),
    [
        (None, None, True),
        (NOW_MS, None, True),
        (NOW_MS + 1, None, False),
        (None, NOW_MS, True),
        (None, NOW_MS - 1, False),
        (NOW_MS, NOW_MS, True),
        (NOW_MS - 10, NOW_MS + 10, True),
        (NOW_MS - 10, NOW_MS - 5, False),
    ],
)
def test_a_key_is_valid_within_its_window(not_before_ms: int | None, not_after_ms: int | None, valid: bool) -> None:
    requests = signed(SigningKey(secret(), not_before_ms, not_after_ms))
    assert accepts(requests, sign(KEY_A, "sha1", BODY)) is valid
    assert requests.valid_keys() == int(valid)


def test_without_a_valid_key_everything_is_refused() -> None:
    assert not accepts(signed(), sign(KEY_A, "sha1", BODY))


def test_each_of_several_valid_keys_is_accepted_in_any_place() -> None:
    requests = signed(SigningKey(secret(KEY_A)), SigningKey(secret(KEY_B)))
    assert accepts(requests, sign(KEY_A, "sha1", BODY))
    assert accepts(requests, sign(KEY_B, "sha1", BODY))
    assert not accepts(requests, sign(KEY_C, "sha1", BODY))


def test_every_valid_key_is_compared_also_after_one_has_matched(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(expected: bytes, given: bytes) -> bool:
        compared.append(expected)
        return expected == given

    monkeypatch.setattr("ingest.authentication.signatures.compare_digest", compare)
    keys = [SigningKey(secret(KEY_A)), SigningKey(secret(KEY_B)), SigningKey(secret(KEY_C), NOW_MS + 1)]
    assert accepts(signed(*keys), sign(KEY_A, "sha1", BODY))
    assert compared == [sign(KEY_A, "sha1", BODY), sign(KEY_B, "sha1", BODY)]


def test_a_rotation_with_an_overlap_refuses_none_of_a_hundred_thousand_requests() -> None:
    """The sender changes keys anywhere in the overlap; both directions of the change are in flight at once."""
    #  old  ──────────────────────┤ 60 000
    #  new         40 000 ├──────────────────────
    #  sender  old ──────── 50 000 ± 5 000 ─ new
    clock = SetClock(0)
    old, new = secret(KEY_A), secret(KEY_B)
    requests = signed(SigningKey(old, None, 60_000), SigningKey(new, 40_000, None), clock=clock)
    refused = 0
    for number in range(100_000):
        clock.at_ms = number
        sends_new = number >= 55_000 or (number >= 45_000 and number % 2 == 0)
        body = b'{"Users":[],"n":%d}' % number
        refused += not accepts(requests, sign(KEY_B if sends_new else KEY_A, "sha1", body), body)
    assert refused == 0
    assert not accepts(requests, sign(KEY_A, "sha1", BODY))


def test_a_replaced_secret_counts_from_the_next_request_on() -> None:
    current = secret(KEY_A)
    requests = signed(SigningKey(current))
    assert accepts(requests, sign(KEY_A, "sha1", BODY))
    current.value = KEY_B
    assert accepts(requests, sign(KEY_B, "sha1", BODY))
    assert not accepts(requests, sign(KEY_A, "sha1", BODY))
