"""Addresses of every class: only public ones may be connected to, and this machine when asked."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from batchgen.api.address import is_loopback, may_connect

PUBLIC = [
    *["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"],
    *["126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255"],
    *["169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0"],
    *["192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255"],
    *["198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "223.255.255.255"],
    *["2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888", "2001:200::"],
    *["::ffff:1.1.1.1", "64:ff9b::1.1.1.1"],
]
LOOPBACK = ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"]
SPECIAL = {
    "private": ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1"],
    "unique local": ["fc00::1", "fd12:3456:789a::1"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1"],
    "site-local": ["fec0::1"],
    "metadata": ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16"],
    "more metadata": ["192.0.0.192", "fd00:ec2::254", "fd20:ce::254"],
    "shared by customers": ["100.64.0.0", "100.127.255.255"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "4000::1", "100::1", "5f00::1"],
    "protocols": ["192.0.0.1", "192.0.0.8", "192.0.0.9", "192.0.0.170", "2001:1::1", "2001:20::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "mapped IPv4": ["::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0"],
    "compatible IPv4": ["::127.0.0.1", "::10.0.0.1", "::1.1.1.1"],
    "translated IPv4": ["::ffff:0:127.0.0.1", "::ffff:0:10.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::"],
    "local NAT64": ["64:ff9b:1::7f00:1", "64:ff9b:1::1.1.1.1", "64:ff9b:1:a00:0:100::"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2002:101:101::1"],
    "6to4 relay": ["192.88.99.1"],
    "Teredo": ["2001::1", "2001:0:4136:e378:8000:63bf:80ff:fffe"],
    "no number": [
        "",
        "localhost",
        "example.com",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "1.1.1.1:80",
    ],
    "odd numbers": ["0177.0.0.1", "127.0.0.01", "1.1.1", "[::1]", "1.1.1.1/32", " 1.1.1.1"],
}


@pytest.mark.parametrize("address", PUBLIC)
@pytest.mark.parametrize("loopback", [False, True])
def test_a_public_address_may_be_connected_to(address, loopback):
    assert may_connect(address, loopback=loopback)


@pytest.mark.parametrize("address", LOOPBACK)
def test_this_machine_may_be_connected_to_only_when_that_is_permitted(address):
    assert may_connect(address, loopback=True)
    assert not may_connect(address, loopback=False)


@pytest.mark.parametrize(
    "address", [pytest.param(a, id=f"{kind}: {a}") for kind in SPECIAL for a in SPECIAL[kind]]
)
@pytest.mark.parametrize("loopback", [False, True])
def test_no_other_address_may_be_connected_to(address, loopback):
    assert not may_connect(address, loopback=loopback)


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_what_python_calls_special_is_refused(address: IPv4Address | IPv6Address):
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped
    if not mapped and not (address.is_global and not address.is_multicast):
        assert not may_connect(str(address), loopback=False)


@given(st.ip_addresses(v=4))
def test_ipv4_inside_ipv6_is_judged_alike(address: IPv4Address):
    allowed = may_connect(str(address), loopback=False)
    for outer in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert may_connect(outer, loopback=False) is allowed


@given(st.text())
def test_no_text_raises(text: str):
    assert may_connect(text, loopback=True) in {True, False}


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "[0:0::1]"]
)
def test_this_machine_is_known_by_its_loopback_names(host):
    assert is_loopback(URL(f"http://{host}:8080/x"))


@pytest.mark.parametrize(
    "host", ["localhost.example", "127.1", "2130706433", "0.0.0.0", "[::]", "[::2]", "10.0.0.1"]
)
def test_nothing_else_is_taken_for_this_machine(host):
    assert not is_loopback(URL(f"http://{host}:8080/x"))
    assert not is_loopback(URL())
