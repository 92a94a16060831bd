import base64
import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from prometheus_client import REGISTRY

from ingest.authentication.clients import Client, Clients
from ingest.authentication.token_endpoint import TokenAnswer, TokenEndpoint
from ingest.authentication.tokens import Tokens
from tests.support.authentication import SetClock, basic, secret

FORM = "application/x-www-form-urlencoded"
BODY = b"grant_type=client_credentials"
ODD_SECRET = "p+%41:ä/="
TOKENS = Tokens([secret()], SetClock())
CLIENTS = [
    Client("iris", secret(b"iris-secret"), "adobe", 3600),
    Client("iris", secret(b"iris-secret"), "second", 600),
    Client("iris", secret(b"next-secret"), "adobe", 3600),
    Client("odd id+", secret(ODD_SECRET.encode()), "adobe", 3600),
]


def ask(
    *authorization: str, content_type: str = FORM, body: bytes = BODY, clients: list[Client] | None = None
) -> TokenAnswer:
    endpoint = TokenEndpoint(Clients(CLIENTS if clients is None else clients), TOKENS)
    return endpoint.answer(authorization, content_type, body)


def members(answer: TokenAnswer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)
    return found


def error(answer: TokenAnswer) -> tuple[int, str]:
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert ("WWW-Authenticate" in answer.headers) is (answer.status == 401)
    found = members(answer)
    # RFC 6749, section 5.2: no other characters in a description.
    assert all(" " <= letter <= "~" and letter not in '"\\' for letter in found["error_description"])
    assert set(found) == {"error", "error_description"}
    return answer.status, found["error"]


def issued(result: str) -> float:
    return REGISTRY.get_sample_value("segwire_ingest_tokens_total", {"result": result}) or 0.0


def test_a_client_gets_a_token_that_is_not_to_be_stored() -> None:
    before = issued("issued")
    answer = ask(basic("iris", "iris-secret"))
    assert answer.status == 200
    assert answer.headers == {"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"}
    found = members(answer)
    token = found.pop("access_token")
    assert found == {"token_type": "Bearer", "expires_in": 600}
    claims = TOKENS.verify(token.encode())
    assert (claims.client_id, claims.sources) == ("iris", frozenset({"adobe", "second"}))
    assert issued("issued") == before + 1


def test_a_secret_opens_only_the_sources_that_have_it() -> None:
    found = members(ask(basic("iris", "next-secret")))
    assert found["expires_in"] == 3600
    assert TOKENS.verify(found["access_token"].encode()).sources == {"adobe"}


@pytest.mark.parametrize(
    "content_type",
    [
        FORM,
        FORM + ";charset=UTF-8",
        FORM + "; charset=UTF-8",
        FORM + " ; charset = utf-8",
        FORM + '; charset="utf-8"',
        FORM.upper() + ";CHARSET=ISO-8859-1",
        " " + FORM + " ",
    ],
)
def test_a_charset_may_follow_the_content_type(content_type: str) -> None:
    assert ask(basic("iris", "iris-secret"), content_type=content_type).status == 200


@pytest.mark.parametrize("content_type", ["", "application/json", FORM + "x", "multipart/form-data", "text/plain"])
def test_another_content_type_is_an_invalid_request(content_type: str) -> None:
    assert error(ask(basic("iris", "iris-secret"), content_type=content_type)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "invalid_request"),
        (b"grant_type=", "invalid_request"),
        (b"grant_type", "invalid_request"),
        (b"grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        (b"a=1&a=2&grant_type=client_credentials", "invalid_request"),
        (b"grant_type=%ff", "invalid_request"),
        (b"\xff=1", "invalid_request"),
        (b"&".join(b"a%d=1" % n for n in range(50)), "invalid_request"),
        (b'{"grant_type": "client_credentials"}', "invalid_request"),
        (b"grant_type=password&username=a&password=b", "unsupported_grant_type"),
        (b"grant_type=Client_Credentials", "unsupported_grant_type"),
        (b"grant_type=client_credentials&scope=write", "invalid_scope"),
        (b"grant_type=client_credentials&client_secret=iris-secret", "invalid_request"),
    ],
)
def test_every_error_has_the_code_of_the_standard(body: bytes, expected: str) -> None:
    before = issued(expected)
    assert error(ask(basic("iris", "iris-secret"), body=body)) == (400, expected)
    assert issued(expected) == before + 1


@pytest.mark.parametrize(
    "body", [BODY + b"&scope=", BODY + b"&unknown=1", b"unknown=%C3%A4&grant_type=client%5Fcredentials", BODY + b"&"]
)
def test_unknown_and_empty_parameters_are_ignored(body: bytes) -> None:
    assert ask(basic("iris", "iris-secret"), body=body).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        basic("iris", "wrong"),
        basic("iris", "iris-secret "),
        basic("iris", "iris-secret\n"),
        basic("iris", ""),
        basic("", ""),
        basic("IRIS", "iris-secret"),
        basic("unknown", "iris-secret"),
        "Basic",
        "Basic ",
        "Basic %%%",
        "Basic \xe4",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"iris:iris-secret").decode().rstrip("="),
        "Bearer abc",
        "",
    ],
)
def test_who_is_no_client_is_told_to_authenticate(authorization: str) -> None:
    answer = ask(authorization)
    assert error(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_credentials_are_taken_from_the_header_alone() -> None:
    assert error(ask()) == (401, "invalid_client")
    in_body = BODY + b"&client_id=iris&client_secret=iris-secret"
    assert error(ask(body=in_body)) == (401, "invalid_client")
    assert error(ask(basic("iris", "iris-secret"), basic("iris", "iris-secret"))) == (400, "invalid_request")


def test_the_scheme_may_be_spelled_in_any_case() -> None:
    assert ask(basic("iris", "iris-secret").replace("Basic", "basic")).status == 200


def test_credentials_may_be_form_encoded_or_plain() -> None:
    encoded = basic(quote_plus("odd id+"), quote_plus(ODD_SECRET))
    assert ask(encoded).status == 200
    assert ask(basic("odd id+", ODD_SECRET)).status == 200


def test_without_clients_nobody_gets_a_token() -> None:
    assert error(ask(basic("iris", "iris-secret"), clients=[])) == (401, "invalid_client")


def test_no_error_repeats_what_was_sent() -> None:
    answer = ask(basic("iris", "s3cr3t-guess"))
    assert b"s3cr3t" not in answer.body
    assert b"iris" not in answer.body
