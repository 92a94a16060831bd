import pytest

from ingest.authentication.authenticator import Every, Unauthenticated
from ingest.authentication.bearer import BearerRequests, VerifiedTokens
from ingest.authentication.signatures import SignedRequests, SigningKey, sign
from ingest.authentication.tokens import Claims, Tokens
from ingest.problems import BAD_SIGNATURE, BAD_TOKEN
from tests.support.authentication import KEY_A, KEY_B, SetClock, challenge, refusal, secret


class CountingTokens(Tokens):
    """Counts what is really verified."""

    verified = 0

    def verify(self, token: bytes) -> Claims:
        self.verified += 1
        return super().verify(token)


class Scene:
    """One token endpoint's keys and two sources; adobe names iris, other names nobody else."""

    def __init__(self, remembered_max: int = 10) -> None:
        self.clock = SetClock()
        self.key = secret(KEY_A)
        self.tokens = CountingTokens([self.key], self.clock)
        self.remembered = VerifiedTokens(self.tokens, remembered_max)
        self.adobe = BearerRequests("adobe", ["iris", "second"], self.remembered)
        self.other = BearerRequests("other", ["elsewhere"], self.remembered)

    def header(self, client_id: str = "iris", sources: tuple[str, ...] = ("adobe",), ttl_s: int = 60) -> bytes:
        return b"Bearer " + self.tokens.issue(client_id, sources, ttl_s).encode()


def check(requests: BearerRequests, authorization: bytes) -> None:
    requests.check({b"authorization": authorization}, b"whatever")


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER  "])
def test_a_good_token_is_accepted(scheme: bytes) -> None:
    scene = Scene()
    check(scene.adobe, scene.header().replace(b"Bearer ", scheme))


def test_without_a_token_the_challenge_carries_no_error() -> None:
    scene = Scene()
    refused = refusal(lambda: scene.adobe.check({}, b""))
    assert (refused.problem, refused.problem.status) == (BAD_TOKEN, 401)
    assert challenge(refused) == 'Bearer realm="segwire"'


@pytest.mark.parametrize(
    "given", [b"", b"Basic aXJpczp4", b"Bearer", b"Bearer ", b"Bearer x", b"Bearer\ta.b.c", b"\xff"]
)
def test_what_carries_no_good_token_is_refused(given: bytes) -> None:
    scene = Scene()
    refused = refusal(lambda: check(scene.adobe, given))
    assert refused.problem is BAD_TOKEN
    assert challenge(refused).startswith('Bearer realm="segwire"')


def test_a_token_is_good_only_at_the_sources_that_name_its_client() -> None:
    scene = Scene()
    check(scene.adobe, scene.header("second"))
    refused = refusal(lambda: check(scene.other, scene.header()))
    assert "does not name" in refused.detail
    assert 'error="invalid_token"' in challenge(refused)


@pytest.mark.parametrize(("client_id", "sources"), [("iris", ("other",)), ("gone", ("adobe",)), ("iris", ())])
def test_both_the_source_and_the_client_must_fit(client_id: str, sources: tuple[str, ...]) -> None:
    scene = Scene()
    assert refusal(lambda: check(scene.adobe, scene.header(client_id, sources))).problem is BAD_TOKEN


def test_a_token_is_verified_once_for_all_sources() -> None:
    scene = Scene()
    header = scene.header()
    for _ in range(5):
        check(scene.adobe, header)
        refusal(lambda: check(scene.other, header))
    assert scene.tokens.verified == 1


def test_a_remembered_token_expires_on_time() -> None:
    scene = Scene()
    header = scene.header(ttl_s=10)
    check(scene.adobe, header)
    scene.clock.at_ms += 10_000 - 1
    check(scene.adobe, header)
    scene.clock.at_ms += 1
    assert "it has expired" in refusal(lambda: check(scene.adobe, header)).detail
    assert len(scene.remembered) == 0


def test_a_remembered_token_dies_with_its_key() -> None:
    scene = Scene()
    header = scene.header()
    check(scene.adobe, header)
    scene.key.value = KEY_B
    assert "not issued here" in refusal(lambda: check(scene.adobe, header)).detail


def test_only_good_tokens_are_remembered_and_no_more_than_the_limit() -> None:
    scene = Scene(remembered_max=3)
    for number in range(20):
        refusal(lambda n=number: check(scene.adobe, b"Bearer %d" % n))  # type: ignore[misc] # bound now
    assert len(scene.remembered) == 0
    headers = [scene.header(ttl_s=60 + number) for number in range(5)]
    for header in headers:
        check(scene.adobe, header)
    assert len(scene.remembered) == 3
    before = scene.tokens.verified
    check(scene.adobe, headers[-1])
    assert scene.tokens.verified == before
    check(scene.adobe, headers[0])
    assert scene.tokens.verified == before + 1


def test_the_least_recently_used_token_is_forgotten_first() -> None:
    scene = Scene(remembered_max=2)
    first, second, third = (scene.header(ttl_s=60 + number) for number in range(3))
    for header in (first, second, first, third):
        check(scene.adobe, header)
    before = scene.tokens.verified
    check(scene.adobe, first)
    assert scene.tokens.verified == before


def test_a_refusal_does_not_repeat_the_token() -> None:
    scene = Scene()
    header = scene.header("gone")
    refused = refusal(lambda: check(scene.adobe, header))
    assert header.decode().split()[1] not in refused.detail + challenge(refused) + repr(refused)


def test_where_both_ways_are_configured_both_must_be_satisfied() -> None:
    scene = Scene()
    signed = SignedRequests("X-Signature", "sha1", [SigningKey(secret(KEY_B))], scene.clock)
    both = Every([scene.adobe, signed])
    token, signature = (b"authorization", scene.header()), (b"x-signature", sign(KEY_B, "sha1", b"body"))
    both.check(dict([token, signature]), b"body")
    assert refusal(lambda: both.check(dict([token]), b"body")).problem is BAD_SIGNATURE
    assert refusal(lambda: both.check(dict([signature]), b"body")).problem is BAD_TOKEN


def test_an_open_source_accepts_anyone() -> None:
    Unauthenticated().check({}, b"")
