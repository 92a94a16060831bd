import ssl
from pathlib import Path

import pytest
import trustme

from ingest.tls import Certificates
from runtime.errors import ConfigurationError
from runtime.http_settings import TlsSettings
from tests.support.certificates import Mounted, client_context


@pytest.fixture(scope="module")
def authorities() -> tuple[trustme.CA, trustme.CA]:
    return trustme.CA(), trustme.CA()


@pytest.fixture
def mounted(tmp_path: Path, authorities: tuple[trustme.CA, trustme.CA]) -> Mounted:
    return Mounted(tmp_path, authorities[0])


def settings_of(mounted: Mounted, *, clients: bool = False, minimum_version: str = "1.2") -> TlsSettings:
    return TlsSettings(
        cert_file=str(mounted.cert_file),
        key_file=str(mounted.key_file),
        client_ca_file=str(mounted.client_ca_file) if clients else None,
        minimum_version=minimum_version,
    )


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Make a connection in memory; return the client's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    done = set()
    for _ in range(10):
        for number, end in enumerate(ends):
            try:
                end.do_handshake()
                done.add(number)
            except ssl.SSLWantReadError:
                continue
    assert done == {0, 1}
    return ends[0]


def test_a_handshake_with_a_client_that_trusts_the_authority(
    mounted: Mounted, authorities: tuple[trustme.CA, trustme.CA]
) -> None:
    served = shake_hands(Certificates(settings_of(mounted)).context, client_context(authorities[0]))
    assert served.version() == "TLSv1.3"


@pytest.mark.parametrize(("minimum", "works"), [("1.2", True), ("1.3", False)])
def test_an_older_version_than_the_minimum_is_refused(
    mounted: Mounted, authorities: tuple[trustme.CA, trustme.CA], minimum: str, works: bool
) -> None:
    client = client_context(authorities[0])
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    certificates = Certificates(settings_of(mounted, minimum_version=minimum))
    if works:
        assert shake_hands(certificates.context, client).version() == "TLSv1.2"
    else:
        with pytest.raises(ssl.SSLError):
            shake_hands(certificates.context, client)


def test_versions_are_read_as_yaml_writes_them() -> None:
    assert TlsSettings(cert_file="c", key_file="k", minimum_version=1.3).minimum_version == "1.3"


def test_new_files_serve_the_next_handshake(mounted: Mounted, authorities: tuple[trustme.CA, trustme.CA]) -> None:
    old, new = authorities
    certificates = Certificates(settings_of(mounted))
    mounted.issue(new)
    certificates.look()
    shake_hands(certificates.context, client_context(new))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(certificates.context, client_context(old))


@pytest.mark.parametrize("half", ["key_file", "cert_file"])
@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_files_that_do_not_fit_together_change_nothing_until_they_do(
    mounted: Mounted, authorities: tuple[trustme.CA, trustme.CA], half: str, content: bytes | None
) -> None:
    old, new = authorities
    certificates = Certificates(settings_of(mounted))
    file: Path = getattr(mounted, half)
    if content is None:
        other = new.issue_cert("localhost")
        content = {"key_file": other.private_key_pem, "cert_file": other.cert_chain_pems[0]}[half].bytes()
    file.write_bytes(content)
    certificates.look()
    certificates.look()
    shake_hands(certificates.context, client_context(old))
    file.unlink()
    certificates.look()
    shake_hands(certificates.context, client_context(old))
    mounted.issue(new)
    certificates.look()
    shake_hands(certificates.context, client_context(new))


def test_a_client_needs_a_certificate_of_the_authority_that_is_named_now(
    mounted: Mounted, authorities: tuple[trustme.CA, trustme.CA]
) -> None:
    server_ca, other_ca = authorities
    clients_ca = trustme.CA()
    mounted.trust_clients_of(clients_ca)
    certificates = Certificates(settings_of(mounted, clients=True))
    known, stranger = clients_ca.issue_cert("sender"), other_ca.issue_cert("sender")
    shake_hands(certificates.context, client_context(server_ca, identity=known))
    for identity in (None, stranger):
        with pytest.raises(ssl.SSLError):
            shake_hands(certificates.context, client_context(server_ca, identity=identity))
    mounted.trust_clients_of(other_ca)
    certificates.look()
    shake_hands(certificates.context, client_context(server_ca, identity=stranger))
    with pytest.raises(ssl.SSLError):
        shake_hands(certificates.context, client_context(server_ca, identity=known))


@pytest.mark.parametrize(
    ("spoilt", "content", "said"),
    [
        ("cert_file", None, "No such file"),
        ("key_file", None, "No such file"),
        ("client_ca_file", None, "No such file"),
        ("cert_file", b"nonsense", "unencrypted"),
        ("key_file", b"nonsense", "unencrypted"),
        ("client_ca_file", b"nonsense", "PEM"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start_by_name(
    mounted: Mounted, authorities: tuple[trustme.CA, trustme.CA], spoilt: str, content: bytes | None, said: str
) -> None:
    mounted.trust_clients_of(authorities[1])
    file: Path = getattr(mounted, spoilt)
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"ingest.tls..*{said}") as refused:
        Certificates(settings_of(mounted, clients=True))
    assert str(file) in str(refused.value)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(mounted: Mounted) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(mounted.key_file.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    mounted.key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    )
    with pytest.raises(ConfigurationError, match="unencrypted"):
        Certificates(settings_of(mounted))
