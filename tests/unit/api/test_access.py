"""Which addresses count together."""

import pytest

from quantcloud.api.access import network, peer_address


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.7:5000", "192.0.2.7"),
        ("ipv6:%5B2001:db8::1%5D:5000", "2001:db8::1"),
        ("ipv6:[::1]:5000", "::1"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5000", "fe80::1%eth0"),
        ("unix:/run/socket", "unix:/run/socket"),
        ("unknown", "unknown"),
    ],
)
def test_the_address_is_read_from_a_peer_name(peer: str, address: str):
    assert peer_address(peer) == address


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        # The owner of one IPv6 address has its whole network.
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_ipv6_addresses_of_one_network_count_together(address: str, counted_as: str):
    assert network(address) == counted_as
