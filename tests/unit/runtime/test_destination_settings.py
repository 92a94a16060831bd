"""Partners in the configuration: safe addresses, mappings, authentication."""

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.destination_settings import DestinationSettings

PARTNER = {
    "url": "https://partner.example/in",
    "client_id": 74323,
    "destination_id": "423",
    "segments": {14356: {"value": 7}},
}
TOKENS = {"token_url": "http://partner.example/token", "id": "we", "secret_file": "/s"}


def destination(**fields: Any) -> DestinationSettings:
    return DestinationSettings.model_validate({**PARTNER, **fields})


def test_defaults_are_those_of_the_wire_format() -> None:
    made = destination()
    assert (made.mode, made.max_users_per_message, made.timeout_ms) == ("realtime", 10, 3000)
    assert (made.allow_private_addresses, made.allow_plain_http, made.auth) == (False, False, None)


def test_identifiers_may_be_written_as_numbers() -> None:
    made = destination()
    assert (made.client_id, made.segments["14356"].value) == ("74323", "7")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "http://partner.example/in"}, "is plain HTTP"),
        ({"url": "http://127.0.0.1/in"}, "is plain HTTP"),
        ({"url": "http://partner.example/in", "allow_plain_http": True}, "is plain HTTP"),
        ({"url": "ftp://partner.example/in"}, "is no URL of the shape"),
        ({"url": "https:///in"}, "is no URL of the shape"),
        ({"url": "https://a:b@partner.example/in"}, "user information"),
        ({"url": "https://[::1/in"}, "is no URL"),
        ({"url": "https://partner.example:99999/in"}, "is no URL"),
        ({"auth": {"oauth2": TOKENS}}, "token_url: .* is plain HTTP"),
        ({"auth": {}}, "needs hmac or oauth2"),
        ({"auth": {"hmac": {"keys": [{"secret": "a"}, {"secret": "b"}]}}}, "at most 1 item"),
        ({"segments": {}}, "at least 1 item"),
        ({"segments": {"1": {"start": "2026-02-01", "end": "2026-02-01"}}}, "would never be sent"),
    ],
)
def test_what_is_unsafe_or_sends_nothing_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        destination(**fields)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:80"])
def test_plain_http_is_for_this_machine_where_that_is_said(host: str) -> None:
    assert destination(url=f"http://{host}/in", allow_plain_http=True).url == f"http://{host}/in"
