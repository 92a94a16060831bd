from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.errors import ConfigurationError
from runtime.settings import Settings, SourceSettings
from runtime.settings_loader import load_settings

HIDDEN = "hunter2-hunter2"


def load(sources: Any, tmp_path: Path, **variables: str) -> Settings:
    path = tmp_path / "segwire.yaml"
    path.write_text(yaml.safe_dump({"sources": sources}) if not isinstance(sources, str) else sources)
    return load_settings(path, variables)


def source(settings: dict[str, Any], tmp_path: Path, **variables: str) -> SourceSettings:
    return load({"adobe": settings}, tmp_path, **variables).effective_sources()["adobe"]


def complaint(sources: Any, tmp_path: Path, **variables: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(sources, tmp_path, **variables)
    assert HIDDEN not in str(caught.value)
    return str(caught.value)


def hmac(**key: Any) -> dict[str, Any]:
    return {"adobe": {"hmac": {"keys": [{"secret": HIDDEN, **key}]}}}


def test_the_defaults_are_the_senders_own(tmp_path: Path) -> None:
    section = source(
        {"hmac": {"keys": [{"secret_file": "a"}]}, "oauth2": {"clients": [{"id": "x", "secret": "y"}]}}, tmp_path
    )
    assert section.hmac is not None
    assert (section.hmac.header, section.hmac.algorithm) == ("X-Signature", "sha1")
    assert section.oauth2 is not None
    assert section.oauth2.token_ttl_s == 3600


def test_a_source_without_authentication_is_refused_unless_it_says_so(tmp_path: Path) -> None:
    assert "sources.adobe: no authentication is configured" in complaint({"adobe": {}}, tmp_path)
    assert source({"allow_unauthenticated": True}, tmp_path).hmac is None


def test_a_source_cannot_be_open_and_authenticated(tmp_path: Path) -> None:
    sources = hmac()
    sources["adobe"]["allow_unauthenticated"] = True
    assert "contradicts the authentication" in complaint(sources, tmp_path)


@pytest.mark.parametrize(
    ("written", "epoch_ms"),
    [
        ("2026-01-31T00:00:00Z", 1_769_817_600_000),
        ("2026-01-31T01:00:00+01:00", 1_769_817_600_000),
        ("2026-01-31T00:00:00", 1_769_817_600_000),
        ("2026-01-31", 1_769_817_600_000),
        ("20260131T000000Z", 1_769_817_600_000),
        ("2026-01-31T00:00:00.250Z", 1_769_817_600_250),
    ],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_window_is_iso_8601_and_utc_where_it_says_nothing(
    written: str, epoch_ms: int, quote: str, tmp_path: Path
) -> None:
    text = f"sources: {{adobe: {{hmac: {{keys: [{{secret: x, not_before: {quote}{written}{quote}}}]}}}}}}"
    section = load(text, tmp_path).effective_sources()["adobe"]
    assert section.hmac is not None
    assert section.hmac.keys[0].not_before is not None
    assert section.hmac.keys[0].not_before.timestamp() * 1000 == epoch_ms


@pytest.mark.parametrize("written", [2026, 1_769_817_600, "soon", "", True, "31.01.2026", ["2026-01-31"]])
def test_what_is_no_iso_8601_time_is_refused(written: Any, tmp_path: Path) -> None:
    assert "sources.adobe.hmac.keys.0.not_after: not an ISO 8601 time" in complaint(hmac(not_after=written), tmp_path)


def test_a_window_that_is_never_open_is_refused(tmp_path: Path) -> None:
    assert "never be valid" in complaint(hmac(not_before="2026-02-01", not_after="2026-01-01"), tmp_path)


@pytest.mark.parametrize("key", [{"secret": HIDDEN, "secret_file": "x"}, {}, {"secret": ""}, {"secret_file": ""}])
def test_a_key_has_exactly_one_secret(key: dict[str, str], tmp_path: Path) -> None:
    assert "sources.adobe.hmac.keys.0" in complaint({"adobe": {"hmac": {"keys": [key]}}}, tmp_path)


@pytest.mark.parametrize("header", ["", "X Signature", "X-Signature:", "Ü", "a\r\nb"])
def test_a_header_is_a_name_that_http_can_carry(header: str, tmp_path: Path) -> None:
    sources = hmac()
    sources["adobe"]["hmac"]["header"] = header
    assert "sources.adobe.hmac.header" in complaint(sources, tmp_path)


@pytest.mark.parametrize("client_id", ["", "a:b", "a\nb", "ä"])
def test_a_client_id_is_what_basic_authentication_can_carry(client_id: str, tmp_path: Path) -> None:
    sources = {"adobe": {"oauth2": {"clients": [{"id": client_id, "secret": HIDDEN}]}}}
    assert "sources.adobe.oauth2.clients.0.id" in complaint(sources, tmp_path)


def test_a_misspelled_key_is_named_with_the_nearest_valid_one(tmp_path: Path) -> None:
    assert "nearest valid one is sources.*.hmac.keys.*.not_after" in complaint(hmac(not_aftr="2026-01-01"), tmp_path)


def test_a_secret_that_is_no_text_is_not_shown(tmp_path: Path) -> None:
    said = complaint({"adobe": {"hmac": {"keys": [{"secret": 8_675_309}]}}}, tmp_path)
    assert "put it in quotes" in said
    assert "8675309" not in said


def test_no_representation_of_the_settings_shows_a_secret(tmp_path: Path) -> None:
    settings = load(hmac(), tmp_path)
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert HIDDEN not in shown


def test_secrets_come_from_variables_as_they_are(tmp_path: Path) -> None:
    section = source(
        {},
        tmp_path,
        SEGWIRE_SOURCES__ADOBE__HMAC__KEYS__0__SECRET="0123",
        SEGWIRE_SOURCES__ADOBE__HMAC__KEYS__0__NOT_AFTER="2026-01-31",
        SEGWIRE_SOURCES__ADOBE__HMAC__KEYS__1__SECRET="[a, b]",
        SEGWIRE_SOURCES__ADOBE__OAUTH2__CLIENTS="[{id: 12, secret_file: x}]",
    )
    assert section.hmac is not None
    assert [key.secret and key.secret.get_secret_value() for key in section.hmac.keys] == ["0123", "[a, b]"]
    assert section.oauth2 is not None
    assert section.oauth2.clients[0].id == "12"


def test_a_variable_changes_one_entry_of_a_list_in_the_file(tmp_path: Path) -> None:
    section = source(
        {"hmac": {"keys": [{"secret_file": "a"}, {"secret_file": "b"}]}},
        tmp_path,
        SEGWIRE_SOURCES__ADOBE__HMAC__KEYS__1__SECRET_FILE="c",
    )
    assert section.hmac is not None
    assert [key.secret_file for key in section.hmac.keys] == ["a", "c"]


@pytest.mark.parametrize("place", ["2", "X", "-1"])
def test_a_variable_cannot_leave_gaps_in_a_list(place: str, tmp_path: Path) -> None:
    variables = {f"SEGWIRE_SOURCES__ADOBE__HMAC__KEYS__{place}__SECRET": HIDDEN}
    assert "is no place in a list of 1" in complaint(hmac(), tmp_path, **variables)


def test_a_number_is_a_name_where_the_settings_have_a_map(tmp_path: Path) -> None:
    settings = load(hmac(), tmp_path, SEGWIRE_MEMBERSHIP__SEGMENTS__0__TTL_DAYS="5")
    assert settings.membership.segments["0"].ttl_days == 5
