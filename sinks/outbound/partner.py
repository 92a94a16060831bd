"""A partner put together from its settings: the client that reaches it, and what runs the client."""

import asyncio
import ssl
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import httpx2

from runtime.clock import Clock
from runtime.destination_settings import DestinationSettings, SigningSettings, TokenClientSettings
from runtime.errors import ConfigurationError
from runtime.secrets import SecretFiles, SecretWatch
from sinks.outbound.client import Client, Endpoint
from sinks.outbound.dispatch import Run
from sinks.outbound.signing import Signer
from sinks.outbound.tokens import TokenSource
from sinks.outbound.transport import PinnedTransport, Reach, Resolve, resolve

_SECOND_MS = 1000


class Partner:
    """The client of one destination, with secrets that are read again when they change.

    One event loop lives as long as the partner, and with it the connections; it runs while something is sent.
    """

    def __init__(
        self, name: str, section: DestinationSettings, clock: Clock, cleanup: ExitStack, resolver: Resolve = resolve
    ) -> None:  # fmt: skip
        """Build the client of the destination `name`; `cleanup` closes its connections.

        Raises:
            ConfigurationError: a secret or certificate cannot be read.
        """
        self._section = section
        self._clock = clock
        self._resolver = resolver
        self._secrets = SecretFiles(clock)
        self._runner = asyncio.Runner()
        # Made here, or the thread that watches the secrets might make it.
        self._loop = self._runner.get_loop()
        cleanup.callback(self._runner.close)
        self._cleanup = cleanup
        signer, tokens = self._credentials(f"destinations.{name}.auth")
        self._tls = _trust(f"destinations.{name}.ca_file", section.ca_file)
        token_endpoint = None
        if tokens is not None:
            token_endpoint = self._token_source(f"destinations.{name}.auth.oauth2", tokens)
        self.client = Client(self._endpoint(section.url, section.connections), clock, signer, token_endpoint)
        self._watch()

    @property
    def run(self) -> Run:
        """Runs a coroutine to its end."""
        return self._runner.run

    def _credentials(self, setting: str) -> tuple[Signer | None, TokenClientSettings | None]:
        auth = self._section.auth
        if auth is None:
            return None, None
        signer = None if auth.hmac is None else self._signer(f"{setting}.hmac.keys", auth.hmac)
        return signer, auth.oauth2

    def _signer(self, setting: str, hmac: SigningSettings) -> Signer:
        key = hmac.keys[0]
        secret = self._secrets.load(f"{setting}[0]", key)
        return Signer(
            hmac.header, hmac.algorithm, secret, self._clock, _epoch_ms(key.not_before), _epoch_ms(key.not_after)
        )

    def _token_source(self, setting: str, tokens: TokenClientSettings) -> TokenSource:
        secret = self._secrets.load(setting, tokens)
        # Connections of its own: under one address another name's could otherwise be taken.
        endpoint = self._endpoint(tokens.token_url, 1)
        return TokenSource(tokens.id, secret, endpoint.post, self._clock)

    def _endpoint(self, url: str, connections: int) -> Endpoint:
        section = self._section
        reach = Reach(
            private=section.allow_private_addresses,
            # The settings allow plain HTTP to this machine alone.
            loopback=section.allow_plain_http and httpx2.URL(url).scheme == "http",
        )
        transport = PinnedTransport(reach, self._tls, connections, self._clock, self._resolver)
        http = httpx2.AsyncClient(transport=transport, timeout=None, trust_env=False, follow_redirects=False)
        self._cleanup.callback(lambda: self._runner.run(http.aclose()))
        return Endpoint(http, url, section.timeout_ms / _SECOND_MS)

    def _watch(self) -> None:
        watch = SecretWatch(self._secrets)
        watch.start(self._soon)
        self._cleanup.callback(watch.stop)

    def _soon(self, call: Any) -> object:
        return self._loop.call_soon_threadsafe(call)


def _trust(setting: str, ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError(
            f"{setting}: {ca_file!r} cannot be used ({error.strerror or error}); name a readable PEM file of "
            "certificates"
        ) from None


def _epoch_ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * _SECOND_MS)
