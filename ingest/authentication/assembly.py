"""Makes everything about authentication from the configuration."""

from collections.abc import Mapping

import msgspec
import structlog

from ingest.authentication.authenticator import Authenticator, Every, Unauthenticated
from ingest.authentication.bearer import BearerRequests, VerifiedTokens
from ingest.authentication.clients import Client, Clients
from ingest.authentication.signatures import SignedRequests, SigningKey
from ingest.authentication.token_endpoint import TokenEndpoint
from ingest.authentication.token_keys import load_token_keys
from ingest.authentication.tokens import Tokens
from runtime.authentication_settings import HmacKeySettings, HmacSettings, OAuth2Settings
from runtime.clock import Clock
from runtime.metrics import INGEST_VALID_KEYS
from runtime.secrets import SecretFiles
from runtime.settings import Settings

_log = structlog.get_logger()


class Authentication(msgspec.Struct, frozen=True):
    """The authenticator of each source, the token endpoint, and the secrets behind them."""

    authenticators: Mapping[str, Authenticator]
    token_endpoint: TokenEndpoint
    secrets: SecretFiles


def assemble(settings: Settings, clock: Clock) -> Authentication:
    """Read every secret and return what uses them.

    Raises:
        ConfigurationError: a secret cannot be read.
    """
    files = SecretFiles(clock)
    sources = settings.effective_sources()
    oauth2 = {name: source.oauth2 for name, source in sources.items() if source.oauth2 is not None}
    tokens = Tokens(load_token_keys(settings, files) if oauth2 else (), clock)
    verified = VerifiedTokens(tokens)
    authenticators: dict[str, Authenticator] = {}
    for name, source in sources.items():
        ways: list[Authenticator] = []
        if source.oauth2 is not None:
            ways.append(BearerRequests(name, [client.id for client in source.oauth2.clients], verified))
        if source.hmac is not None:
            ways.append(_signed(name, source.hmac, files, clock))
        if not ways:
            ways.append(Unauthenticated())
        authenticators[name] = ways[0] if len(ways) == 1 else Every(ways)
    return Authentication(authenticators, TokenEndpoint(_clients(oauth2, files), tokens), files)


def _signed(source: str, hmac: HmacSettings, files: SecretFiles, clock: Clock) -> SignedRequests:
    keys = [_key(f"sources.{source}.hmac.keys.{place}", key, files) for place, key in enumerate(hmac.keys)]
    signed = SignedRequests(hmac.header, hmac.algorithm, keys, clock)
    INGEST_VALID_KEYS.labels(source).set_function(signed.valid_keys)
    if signed.valid_keys() == 0:
        _log.warning(
            "no_signing_key_is_valid",
            source=source,
            remedy=f"every message is refused: see not_before and not_after of sources.{source}.hmac.keys",
        )
    return signed


def _key(setting: str, key: HmacKeySettings, files: SecretFiles) -> SigningKey:
    not_before_ms, not_after_ms = (
        None if moment is None else round(moment.timestamp() * 1000) for moment in (key.not_before, key.not_after)
    )
    return SigningKey(files.load(setting, key), not_before_ms, not_after_ms)


def _clients(oauth2: Mapping[str, OAuth2Settings], files: SecretFiles) -> Clients:
    return Clients(
        [
            Client(
                client.id,
                files.load(f"sources.{source}.oauth2.clients.{place}", client),
                source,
                section.token_ttl_s,
            )
            for source, section in oauth2.items()
            for place, client in enumerate(section.clients)
        ]
    )
