from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runtime.errors import ConfigurationError
from segwire.cli.simulate import command
from segwire.cli.simulate_authentication import NAMES, sender_options
from segwire.simulator.token import TokenTaker

URL = "http://127.0.0.1:8080/"


def options(**given: Any) -> dict[str, Any]:
    return dict.fromkeys(NAMES) | {"hmac_algorithm": "sha1", "hmac_header": "X-Signature"} | given


def test_without_options_nothing_authenticates() -> None:
    assert sender_options(options(), URL) == {}


def test_a_key_signs_under_the_named_header(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sample_partner_private_key\n")
    chosen = sender_options(options(hmac_secret_file=tmp_path / "key", hmac_header="X-Own"), URL)
    assert chosen["authenticate"](b"POST message content") == {"X-Own": "+wFdR/afZNoVqtGl8/e1KJ4ykPU="}


@pytest.mark.parametrize(
    ("given", "url"),
    [(None, "http://127.0.0.1:8080/oauth2/token"), ("https://login.example.com/t", "https://login.example.com/t")],
)
def test_tokens_are_where_ingest_is_unless_said_otherwise(given: str | None, url: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    chosen = sender_options(
        options(oauth2_client_id="iris", oauth2_secret_file=tmp_path / "secret", oauth2_token_url=given), URL
    )
    assert isinstance(chosen["tokens"], TokenTaker)
    assert chosen["tokens"]._url == url


def test_a_client_needs_its_secret() -> None:
    with pytest.raises(ConfigurationError, match="one needs the other"):
        sender_options(options(oauth2_client_id="iris"), URL)


def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--hmac-secret-file: '.*missing'"):
        sender_options(options(hmac_secret_file=tmp_path / "missing"), URL)


def test_no_option_takes_a_secret_itself() -> None:
    shown = CliRunner().invoke(command, ["--help"]).output
    assert "--hmac-secret-file" in shown
    assert "--hmac-secret " not in shown
    assert "--oauth2-secret " not in shown
