import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ingest.authentication.assembly import assemble
from ingest.authentication.bearer import BearerRequests
from ingest.authentication.signatures import sign
from ingest.authentication.token_keys import load_token_keys
from ingest.problems import BAD_SIGNATURE, BAD_TOKEN, Refusal
from runtime.errors import ConfigurationError
from runtime.secrets import SecretFiles
from runtime.settings import Settings
from tests.support.authentication import NOW_MS, SetClock, basic, refusal

FORM = "application/x-www-form-urlencoded"
KEYS = {"keys": [{"secret": "k"}]}
CLIENTS = {"clients": [{"id": "iris", "secret": "s"}]}


def settings(tmp_path: Path, *token_key_files: Path, **sources: Any) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": str(tmp_path / "data"),
            "sources": sources,
            "ingest": {"token_key_files": [str(path) for path in token_key_files]},
        }
    )


def token_key(configured: Settings) -> bytes:
    [secret] = load_token_keys(configured, SecretFiles(SetClock()))
    return secret.value


def test_each_source_is_authenticated_as_it_is_configured(tmp_path: Path) -> None:
    configured = settings(
        tmp_path,
        signed={"hmac": KEYS},
        tokens={"oauth2": CLIENTS},
        both={"hmac": KEYS, "oauth2": CLIENTS},
        open={"allow_unauthenticated": True},
    )
    authentication = assemble(configured, SetClock())
    by = authentication.authenticators
    answer = authentication.token_endpoint.answer([basic("iris", "s")], FORM, b"grant_type=client_credentials")
    token = {b"authorization": b"Bearer " + answer.body.split(b'"')[3]}
    signature = {b"x-signature": sign(b"k", "sha1", b"body")}
    by["signed"].check(signature, b"body")
    by["tokens"].check(token, b"body")
    by["both"].check({**token, **signature}, b"body")
    by["open"].check({}, b"body")
    assert refusal(lambda: by["signed"].check(token, b"body")).problem is BAD_SIGNATURE
    assert refusal(lambda: by["tokens"].check(signature, b"body")).problem is BAD_TOKEN
    assert refusal(lambda: by["both"].check(signature, b"body")).problem is BAD_TOKEN
    assert refusal(lambda: by["both"].check(token, b"body")).problem is BAD_SIGNATURE


def test_windows_are_those_of_the_configuration(tmp_path: Path) -> None:
    keys = {"keys": [{"secret": "k", "not_before": "2025-11-24T16:00:00Z", "not_after": "2025-11-24T16:00:01Z"}]}
    clock = SetClock(1_764_000_000_000)
    [authenticator] = assemble(settings(tmp_path, adobe={"hmac": keys}), clock).authenticators.values()
    signature = {b"x-signature": sign(b"k", "sha1", b"")}
    accepted = []
    for clock.at_ms in range(1_763_999_999_000, 1_764_000_003_000, 500):
        try:
            authenticator.check(signature, b"")
        except Refusal:
            continue
        accepted.append(clock.at_ms - 1_764_000_000_000)
    assert accepted == [0, 500, 1000]


def test_no_key_that_is_valid_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assemble(settings(tmp_path, adobe={"hmac": {"keys": [{"secret": "k", "not_after": "2020-01-01"}]}}), SetClock())
    assert "no_signing_key_is_valid" in capsys.readouterr().out


def test_a_secret_that_cannot_be_read_names_its_setting(tmp_path: Path) -> None:
    missing = {"clients": [{"id": "iris", "secret": "s"}, {"id": "iris", "secret_file": str(tmp_path / "missing")}]}
    with pytest.raises(ConfigurationError, match=r"sources\.adobe\.oauth2\.clients\.1\.secret_file: .*missing"):
        assemble(settings(tmp_path, adobe={"oauth2": missing}), SetClock())


def test_the_same_token_serves_where_two_sources_name_its_client(tmp_path: Path) -> None:
    configured = settings(tmp_path, one={"oauth2": CLIENTS}, two={"oauth2": CLIENTS})
    authentication = assemble(configured, SetClock())
    answer = authentication.token_endpoint.answer([basic("iris", "s")], FORM, b"grant_type=client_credentials")
    for authenticator in authentication.authenticators.values():
        assert isinstance(authenticator, BearerRequests)
        authenticator.check({b"authorization": b"Bearer " + answer.body.split(b'"')[3]}, b"")


def test_a_key_of_tokens_is_made_once_and_kept_for_this_user_alone(tmp_path: Path) -> None:
    configured = settings(tmp_path, adobe={"oauth2": CLIENTS})
    first = token_key(configured)
    path = tmp_path / "data" / "ingest" / "token.key"
    assert len(first) >= 32
    assert path.read_bytes() == first + b"\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert token_key(configured) == first


def test_no_key_is_made_where_no_source_uses_tokens(tmp_path: Path) -> None:
    assemble(settings(tmp_path, adobe={"hmac": KEYS}), SetClock())
    assert not (tmp_path / "data").exists()


def test_of_two_that_make_the_key_at_once_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured = settings(tmp_path, adobe={"oauth2": CLIENTS})
    winner = token_key(configured)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert token_key(configured) == winner


def test_configured_keys_are_used_in_their_order_and_watched(tmp_path: Path) -> None:
    paths = [tmp_path / "new", tmp_path / "old"]
    for path in paths:
        path.write_text(path.name * 20)
    files = SecretFiles(SetClock())
    new, old = load_token_keys(settings(tmp_path, *paths, adobe={"oauth2": CLIENTS}), files)
    assert (new.value, old.value) == (b"new" * 20, b"old" * 20)
    paths[0].write_text("newest" * 20)
    os.utime(paths[0], ns=((NOW_MS - 5000) * 1_000_000,) * 2)
    files.replace(files.changed())
    assert new.value == b"newest" * 20
    assert not (tmp_path / "data").exists()


def test_a_key_of_tokens_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_text("x" * 31)
    with pytest.raises(ConfigurationError, match=r"ingest\.token_key_files\.0: .*less than 32"):
        assemble(settings(tmp_path, path, adobe={"oauth2": CLIENTS}), SetClock())


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"^data_dir: .*token_key_files"):
        assemble(settings(tmp_path, adobe={"oauth2": CLIENTS}), SetClock())
