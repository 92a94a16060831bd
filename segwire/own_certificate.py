"""How commands of this machine trust the ingest of this machine: by the certificate that its configuration names."""

import re
import ssl
from pathlib import Path

from runtime.errors import ConfigurationError
from runtime.http_settings import TlsSettings

_FIRST = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def trusting_own(tls: TlsSettings) -> ssl.SSLContext:
    """Return what trusts the configured certificate and no other, under whatever name it is reached.

    Its name is that of the public address, and its CA may be a private one: neither helps on the way over loopback.

    Raises:
        ConfigurationError: the file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        own = _FIRST.search(Path(tls.cert_file).read_text(encoding="ascii"))
        context.load_verify_locations(cadata=own[0] if own else "")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"ingest.tls.cert_file: {tls.cert_file!r} cannot be used ({error}); name a PEM file"
        ) from None
    return context
