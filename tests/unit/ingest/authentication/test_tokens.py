import base64
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from ingest.authentication.tokens import BadTokenError, Claims, Tokens
from runtime.secrets import Secret
from tests.support.authentication import KEY_A, KEY_B, KEY_C, NOW_MS, SetClock, secret


def tokens(*keys: Secret, clock: SetClock | None = None) -> Tokens:
    return Tokens(keys or (secret(),), clock or SetClock())


def reason(by: Tokens, token: bytes | str) -> str:
    with pytest.raises(BadTokenError) as caught:
        by.verify(token.encode() if isinstance(token, str) else token)
    return str(caught.value)


def parts(token: str) -> list[dict[str, Any]]:
    return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]


def forged(claims: dict[str, Any], key: bytes = KEY_A, **header: Any) -> str:
    return jwt.encode({"alg": "HS256", **header}, claims, OctKey.import_key(key), ["HS256", "HS512"])


def ours(**claims: Any) -> dict[str, Any]:
    return {"iss": "segwire", "sub": "iris", "aud": ["adobe"], "exp": NOW_MS // 1000 + 60, **claims}


def test_a_token_is_a_signed_jwt_that_says_for_whom_where_and_until_when() -> None:
    header, claims = parts(tokens().issue("iris", {"zeta", "adobe"}, 3600))
    now_s = NOW_MS // 1000
    assert header == {"typ": "JWT", "alg": "HS256"}
    assert claims == {
        "iss": "segwire",
        "sub": "iris",
        "aud": ["adobe", "zeta"],
        "iat": now_s,
        "exp": now_s + 3600,
    }


def test_what_was_issued_verifies() -> None:
    issuer = tokens()
    expected = Claims("iris", frozenset({"adobe"}), NOW_MS + 3_600_000, KEY_A)
    assert issuer.verify(issuer.issue("iris", ["adobe"], 3600).encode()) == expected


def test_a_token_lives_at_least_as_long_as_it_says_and_ends_then() -> None:
    clock = SetClock(NOW_MS + 1)
    issuer = tokens(clock=clock)
    token = issuer.issue("iris", ["adobe"], 10).encode()
    clock.at_ms = NOW_MS + 1 + 10_000
    claims = issuer.verify(token)
    clock.at_ms = claims.expires_ms
    assert clock.at_ms - (NOW_MS + 10_001) < 1000
    assert reason(issuer, token) == "it has expired"
    assert not issuer.still_good(claims)


def test_the_first_key_signs_and_all_verify() -> None:
    by_a, by_b = tokens(secret(KEY_A)), tokens(secret(KEY_B))
    either = tokens(secret(KEY_B), secret(KEY_A))
    old, new = (issuer.issue("iris", ["adobe"], 60).encode() for issuer in (by_a, either))
    assert either.verify(old).key == KEY_A
    assert either.verify(new).key == KEY_B
    assert by_b.verify(new).key == KEY_B
    assert "not issued here" in reason(by_a, new)


def test_replicas_with_the_same_keys_take_each_others_tokens() -> None:
    assert tokens().verify(tokens().issue("iris", ["adobe"], 60).encode()).client_id == "iris"


def test_a_token_dies_with_its_key() -> None:
    key = secret(KEY_A)
    issuer = tokens(key)
    token = issuer.issue("iris", ["adobe"], 60).encode()
    claims = issuer.verify(token)
    assert issuer.still_good(claims)
    key.value = KEY_B
    assert not issuer.still_good(claims)
    assert "not issued here" in reason(issuer, token)


def test_many_rotations_leave_no_old_keys_behind() -> None:
    key = secret(KEY_A)
    issuer = tokens(key)
    for number in range(50):
        key.value = b"%032d" % number
        assert issuer.verify(issuer.issue("iris", ["adobe"], 60).encode()).key == key.value
    assert len(issuer._imported) < 5


def unsigned(claims: dict[str, Any]) -> str:
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "none", "typ": "JWT"}, claims)
    ]
    return ".".join([*encoded, ""])


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "\xe9.\xe9.\xe9",
        "[" * 15_000,
        base64.urlsafe_b64encode(b"[" * 9_000).decode() + ".e30.e30",
        "x" * 20_000,
        unsigned(ours()),
        forged(ours(), KEY_C),
        forged(ours(), alg="HS512"),
        forged(ours(iss="someone")),
        forged(ours(exp="tomorrow")),
        forged(ours(exp=None)),
        forged(ours(aud="adobe")),
        forged({name: value for name, value in ours().items() if name != "exp"}),
        forged({name: value for name, value in ours().items() if name != "sub"}),
    ],
    ids=lambda token: token[:12] or "empty",
)
def test_what_is_no_token_of_ours_is_refused(token: str) -> None:
    assert reason(tokens(), token.encode("latin-1")) in {
        "it was not issued here, or its key is no longer used",
        "it is too long",
    }


def test_the_same_claims_unforged_are_taken() -> None:
    assert tokens().verify(forged(ours()).encode()).client_id == "iris"


def test_a_changed_token_is_refused_wherever_it_was_changed() -> None:
    issuer = tokens()
    token = issuer.issue("iris", ["adobe"], 60)
    for place in range(0, len(token) - 1, 3):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert "not issued here" in reason(issuer, changed)
