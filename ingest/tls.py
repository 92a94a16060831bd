"""HTTPS: one certificate for all handshakes, replaced when its files change."""

import ssl
import threading
from pathlib import Path

import structlog

from runtime.errors import ConfigurationError
from runtime.http_settings import TlsSettings
from runtime.metrics import SECRET_RELOADS

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_POLL_S = 1.0
# Who has none of HTTP/1.1 in common with us is told so in the handshake.
_PROTOCOLS = ["http/1.1"]

_log = structlog.get_logger()


class Certificates:
    """The TLS context of the listener. Each handshake uses what the files held when they were last read whole.

    A new certificate, key and CA take effect together or not at all: what does not fit together is left unused, and
    looked at again when it changes.
    """

    def __init__(self, settings: TlsSettings) -> None:
        """Read the files.

        Raises:
            ConfigurationError: one of them cannot be used.
        """
        self._settings = settings
        self._seen = self._content()
        self._current = _context(settings)
        self.context = _context(settings)
        self.context.sni_callback = self._choose

    def look(self) -> None:
        """Use what is new in the files. Blocks on the disk; for one thread at a time, any but the event loop's."""
        content = self._content()
        if content == self._seen:
            return
        try:
            fresh = _context(self._settings)
        except ConfigurationError as error:
            SECRET_RELOADS.labels("failed").inc()
            _log.warning("certificate_unusable", reason=str(error), kept="the one read before")
        else:
            self._current = fresh
            SECRET_RELOADS.labels("replaced").inc()
            _log.info("certificate_replaced", file=self._settings.cert_file)
        # What changed while it was read is read again at the next look.
        self._seen = content

    def _content(self) -> list[bytes | None]:
        return [_bytes(name) for name in _files(self._settings).values()]

    def _choose(self, handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = self._current


class CertificateWatch:
    """Looks at the files about once a second, from a thread of its own."""

    def __init__(self, certificates: Certificates, poll_s: float = _POLL_S) -> None:
        """Watch `certificates`, once started."""
        self._certificates = certificates
        self._poll_s = poll_s
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start looking."""
        threading.Thread(target=self._watch, name="certificates", daemon=True).start()

    def stop(self) -> None:
        """Stop looking. Does not wait."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._poll_s):
            self._certificates.look()


def _files(settings: TlsSettings) -> dict[str, str]:
    named = {"cert_file": settings.cert_file, "key_file": settings.key_file, "client_ca_file": settings.client_ca_file}
    return {name: file for name, file in named.items() if file is not None}


def _bytes(file: str) -> bytes | None:
    try:
        return Path(file).read_bytes()
    except OSError:
        return None


def _context(settings: TlsSettings) -> ssl.SSLContext:
    for name, file in _files(settings).items():
        try:
            Path(file).read_bytes()
        except (OSError, ValueError) as error:
            raise _unusable(name, file, getattr(error, "strerror", None) or str(error)) from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.minimum_version]
    context.set_alpn_protocols(_PROTOCOLS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        # Without a password of ours OpenSSL would ask the terminal for one.
        context.load_cert_chain(settings.cert_file, settings.key_file, password="")
    except (OSError, ValueError) as error:
        reason = f"{error}; it needs a certificate, and the key {settings.key_file!r} that belongs to it, unencrypted"
        raise _unusable("cert_file", settings.cert_file, reason) from None
    if settings.client_ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        # A resumed session would outlive the CA that vouched for it.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        try:
            context.load_verify_locations(settings.client_ca_file)
        except (OSError, ValueError) as error:
            raise _unusable("client_ca_file", settings.client_ca_file, str(error)) from None
    return context


def _unusable(name: str, file: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"ingest.tls.{name}: {file!r} cannot be used ({reason}); name a readable PEM file")
