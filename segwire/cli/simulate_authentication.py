"""How `segwire simulate` authenticates: its options, and what they mean for the sender."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from runtime.authentication_settings import HmacAlgorithm
from runtime.errors import ConfigurationError
from runtime.secrets import read_secret

_OPTIONS = (
    click.option(
        "--hmac-secret-file", type=click.Path(path_type=Path), help="Sign messages with the key in this file."
    ),
    click.option(
        "--hmac-algorithm", type=click.Choice(get_args(HmacAlgorithm)), default="sha1", help="Hash of the signature."
    ),
    click.option("--hmac-header", default="X-Signature", help="Header of the signature."),
    click.option("--oauth2-client-id", default=None, help="Take bearer tokens as this client."),
    click.option("--oauth2-secret-file", type=click.Path(path_type=Path), help="File with the client's secret."),
    click.option("--oauth2-token-url", default=None, help="Where tokens are.  [default: URL/oauth2/token]"),
)
NAMES = (
    "hmac_secret_file",
    "hmac_algorithm",
    "hmac_header",
    "oauth2_client_id",
    "oauth2_secret_file",
    "oauth2_token_url",
)


def authentication_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def sender_options(options: dict[str, Any], url: str) -> dict[str, Any]:
    """Return the arguments of `HttpSender` that the options ask for; `url` is where ingest listens.

    Raises:
        ConfigurationError: a secret cannot be read, or one of two options is missing.
    """
    from runtime.clock import SystemClock
    from segwire.simulator.signature import signing
    from segwire.simulator.token import TokenTaker

    chosen: dict[str, Any] = {}
    if (path := options["hmac_secret_file"]) is not None:
        secret = read_secret("--hmac-secret-file", path)
        chosen["authenticate"] = signing(secret, options["hmac_algorithm"], options["hmac_header"])
    client_id, path = options["oauth2_client_id"], options["oauth2_secret_file"]
    if (client_id is None) != (path is None):
        raise ConfigurationError("--oauth2-client-id and --oauth2-secret-file: one needs the other; give both or none")
    if client_id is not None:
        secret = read_secret("--oauth2-secret-file", path)
        token_url = options["oauth2_token_url"] or f"{url.rstrip('/')}/oauth2/token"
        chosen["tokens"] = TokenTaker(token_url, client_id, secret, SystemClock())
    return chosen
