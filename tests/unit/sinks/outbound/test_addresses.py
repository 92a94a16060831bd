"""Where messages may go."""

import pytest

from sinks.outbound.addresses import ForbiddenAddress, check_addresses

FORBIDDEN = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1",
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
    "64:ff9b::a9fe:a9fe",
]  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_nothing_goes_to_an_address_that_is_not_public(address: str) -> None:
    with pytest.raises(ForbiddenAddress, match="leads to"):
        check_addresses("partner.example", [address], private=False, loopback=False)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_allowed(address: str) -> None:
    check_addresses("partner.example", [address], private=False, loopback=False)


def test_one_address_that_is_not_public_spoils_the_others() -> None:
    with pytest.raises(ForbiddenAddress):
        check_addresses("partner.example", ["93.184.215.14", "10.0.0.1"], private=False, loopback=False)


def test_private_addresses_are_allowed_where_that_was_configured_and_never_multicast() -> None:
    check_addresses("p", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "fd00::1", "::ffff:10.0.0.1", "::1"],
                    private=True, loopback=False)  # fmt: skip
    for address in ("224.0.0.1", "0.0.0.0", "240.0.0.1", "ff02::1"):
        with pytest.raises(ForbiddenAddress):
            check_addresses("p", [address], private=True, loopback=True)


def test_plain_http_to_this_machine_allows_this_machine_alone() -> None:
    check_addresses("localhost", ["127.0.0.1", "::1"], private=False, loopback=True)
    with pytest.raises(ForbiddenAddress):
        check_addresses("localhost", ["10.0.0.1"], private=False, loopback=True)
