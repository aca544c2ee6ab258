"""Judging addresses: which is this very machine, and which may be connected to for an image.

Pure functions of names and numbers; nothing is looked up. A name says little about where it leads,
so an image host is judged by the number that is really being connected to.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from yarl import URL

from batchgen.errors import UsageError

# Listed here, since what `ipaddress` calls global differs between versions of Python and holds
# multicast, tunnels and 192.0.0.8.
_REFUSED_4 = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by the customers of a provider
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's own service for its machines
        "169.254.0.0/16",  # link-local, the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, the metadata of some clouds
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_PUBLIC_6 = ip_network("2000::/3")  # all else is special or not given out
_REFUSED_6 = tuple(
    ip_network(block)
    for block in (
        "2001::/23",  # protocol assignments, among them Teredo tunnels into IPv4
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 tunnels into IPv4
        "3fff::/20",  # documentation
    )
)
# Networks without IPv4 reach it this way; the last 32 bits say whom.
_NAT64 = ip_network("64:ff9b::/96")


def is_loopback(url: URL) -> bool:
    """Whether *url* names this very machine by a loopback name or address."""
    return _names_loopback(url.host or "")


@lru_cache(maxsize=64)  # every image of a service comes from the same few hosts
def _names_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def may_connect(address: str, *, loopback: bool) -> bool:
    """Whether an image may be fetched from the IP *address*: a public one.

    *loopback* permits this machine too, but none of its networks. What is no IP address is refused.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return (loopback and found.is_loopback) or _is_public(found)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address in _NAT64:
        address = IPv4Address(int(address) & 0xFFFF_FFFF)
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _REFUSED_4)
    return address in _PUBLIC_6 and not any(address in block for block in _REFUSED_6)


def check_base_url(base_url: str) -> URL:
    """The base address of a service: https, or http on loopback.

    Raises UsageError for anything else: the key must not travel in the clear.
    """
    try:
        url = URL(base_url)
        sound = bool(url.host) and url.scheme in {"http", "https"}
        sound = sound and not url.user and not url.password
        url.port  # noqa: B018  # an impossible port raises here
    except ValueError:
        sound = False
        url = URL()
    if not sound or url.query_string or url.fragment or url.path not in {"", "/"}:
        raise UsageError(f"expected an address such as https://api.wavespeed.ai, got {base_url!r}")
    if url.scheme == "http" and not is_loopback(url):
        raise UsageError(f"expected https, got {base_url!r}: the key would travel in the clear")
    return url
