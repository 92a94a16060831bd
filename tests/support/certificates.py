"""Certificates of a test: written where a server reads them, and contexts of clients that trust them."""

import ssl
from pathlib import Path

import trustme


class Mounted:
    """A directory with a certificate, its key and the CA of clients; each can be replaced."""

    def __init__(self, directory: Path, authority: trustme.CA | None = None) -> None:
        self.authority = authority or trustme.CA()
        self.cert_file = directory / "tls.crt"
        self.key_file = directory / "tls.key"
        self.ca_file = directory / "ca.crt"
        self.client_ca_file = directory / "clients.crt"
        self.issue(self.authority)

    def issue(self, authority: trustme.CA, *names: str) -> None:
        """Write a new certificate of `authority`, and what tells a client to trust it."""
        issued = authority.issue_cert(*(names or ("localhost", "127.0.0.1")))
        authority.cert_pem.write_to_path(self.ca_file)
        self.key_file.write_bytes(issued.private_key_pem.bytes())
        self.cert_file.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))

    def trust_clients_of(self, authority: trustme.CA) -> None:
        """Write the CA whose clients are let in."""
        authority.cert_pem.write_to_path(self.client_ca_file)

    def variables(self, *, clients: bool = False) -> dict[str, str]:
        """Return the configuration of a server with these files."""
        files = {"CERT_FILE": self.cert_file, "KEY_FILE": self.key_file}
        if clients:
            files["CLIENT_CA_FILE"] = self.client_ca_file
        return {f"SEGWIRE_INGEST__TLS__{name}": str(file) for name, file in files.items()}


def client_context(*authorities: trustme.CA, identity: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """Return what a client connects with: whom it trusts, and who it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for authority in authorities:
        authority.configure_trust(context)
    if identity is not None:
        identity.configure_cert(context)
    return context
