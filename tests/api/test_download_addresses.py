"""Addresses of images: whatever they say and wherever they lead, only public hosts are asked."""

import socket
from contextlib import suppress

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.api import download
from batchgen.api.download import Downloader, DownloadError, UnsafeAddressError
from tests.support.imagehost import fetch, host
from tests.support.serving import answer

__all__ = ["host"]

NOT_HTTPS = [*["http://example.com/a.png", "//example.com/a.png", "ftp://localhost/", "https://"]]
NOT_HTTPS += ["file:///etc/passwd", "data:image/png;base64,AAAA", "javascript:alert(1)", "blob:x"]
NOT_HTTPS += ["http://127.0.0.1.example/", "http://0.0.0.0/", "http://169.254.169.254/latest/"]
NO_URL = [
    "https://[::1",
    "https://example.com:99999/",
    "https://example.com:port/",
    "http://\udcff/",
]
NAMED = ["https://me@example.com/", "https://:secret@example.com/", "http://me@127.0.0.1/"]
ODD_PORT = ["https://example.com:80/", "https://example.com:8443/", "https://10.0.0.1:22/"]
ODD = {
    **dict.fromkeys(NOT_HTTPS, r"^expected the address of the image to be https$"),
    **dict.fromkeys(NO_URL, r"^the address of the image is no URL$"),
    **dict.fromkeys(NAMED[:2], r"^refused an image address with a user name or a password$"),
    **dict.fromkeys(ODD_PORT, r"^refused an image address with port \d+, expected 443$"),
}
INSIDE = r"^refused an image address on this machine or a private network$"
PRIVATE = ["10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "[fd00:ec2::254]", "[::]"]
PRIVATE += [
    "[::ffff:10.0.0.1]",
    "[64:ff9b::a00:1]",
    "[2002:a00:1::]",
    "[fe80::1%25lo]",
    "0xa.0.0.1",
]
LOCAL = ["127.0.0.1", "127.9.9.9", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.0.0.1"]


@pytest.mark.parametrize("address", [*ODD, "", "a.png", "/a.png"])
@pytest.mark.parametrize("allow_loopback", [True, False])
async def test_an_odd_address_is_refused_before_anything_is_sent(address, allow_loopback):
    with pytest.raises(UnsafeAddressError, match=ODD.get(address, ODD["https://"])):
        await fetch(address, allow_loopback=allow_loopback)


@pytest.mark.parametrize("address", [a for a in ODD if a.isascii()])
async def test_a_redirect_to_an_odd_address_is_refused(host, address):
    host.behave = answer(302, b"", Location=address)
    with pytest.raises(UnsafeAddressError, match=ODD[address]):
        await fetch(f"{host.base}/a")
    assert len(host.requests) == 1


async def test_a_name_or_password_is_refused_on_this_machine_too():
    with pytest.raises(UnsafeAddressError, match="with a user name or a password"):
        await fetch(NAMED[2])


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("redirected", [False, True])
async def test_a_private_network_is_never_entered(host, name, redirected):
    host.behave = answer(302, b"", Location=f"https://{name}/a.png")
    with pytest.raises(UnsafeAddressError, match=INSIDE):
        await fetch(f"{host.base}/a" if redirected else f"https://{name}/a.png")
    assert len(host.requests) == redirected


@pytest.mark.parametrize("name", LOCAL)
async def test_this_machine_is_refused_unless_the_service_is_there(host, name):
    with pytest.raises(UnsafeAddressError, match=INSIDE):
        await fetch(f"https://{name}/a.png", allow_loopback=False)
    port = host.base.rpartition(":")[2]
    for scheme in ("http", "https"):
        with pytest.raises(UnsafeAddressError, match=r"to be https|with port \d+, expected 443"):
            await fetch(f"{scheme}://{name}:{port}/0", allow_loopback=False)
    assert host.requests == []


@pytest.mark.parametrize("name", ["127.1", "2130706433", "0177.0.0.1", "127.0.0.1.", "0"])
@pytest.mark.parametrize("allow_loopback", [True, False])
async def test_an_odd_number_for_this_machine_is_no_address(name, allow_loopback):
    with pytest.raises(UnsafeAddressError, match=r"^the address of the image is no URL$"):
        await fetch(f"https://{name}/a.png", allow_loopback=allow_loopback)


def lead_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name have these addresses."""

    async def resolve(_: object, host: str, port: int = 0, **more: object) -> list[object]:
        flags = {"family": socket.AF_INET, "proto": 0, "flags": 0, "port": port, "hostname": host}
        return [{**flags, "host": address} for address in addresses]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["10.0.0.1", "169.254.169.254"]])
async def test_a_name_that_leads_into_a_private_network_is_refused(addresses, monkeypatch):
    lead_to(monkeypatch, *addresses)
    with pytest.raises(UnsafeAddressError, match=INSIDE):
        await fetch("https://images.example/a.png")


async def test_what_a_name_leads_to_is_judged_at_every_connection(host, monkeypatch):
    port = int(host.base.rpartition(":")[2])
    lead_to(monkeypatch, "127.0.0.1")
    seen = []

    def judged(address: str, *, loopback: bool) -> bool:
        seen.append((address, loopback))
        return True

    monkeypatch.setattr(download, "may_connect", judged)
    host.behave = answer(302, b"", Location=f"http://localhost:{port}/a", Connection="close")
    with pytest.raises(DownloadError, match=r"^more than 5 redirects$"):
        await fetch(f"http://localhost:{port}/a")
    assert seen == [("127.0.0.1", True)] * 6


async def test_a_name_with_a_refused_address_and_another_uses_the_other(monkeypatch):
    lead_to(monkeypatch, "10.0.0.1", "127.0.0.1")
    with pytest.raises(DownloadError, match=r"^the image host (takes no connection|has no certif)"):
        await fetch("https://images.example/a.png")


@given(st.text(), st.text())
async def test_no_address_raises_anything_but_download_errors(start, end):
    for address in (start, f"https://{start}/{end}", f"https://h:{start}", f"http://[{start}]"):
        with suppress(DownloadError):
            Downloader(timeout=1, allow_loopback=True)._check(address)


async def test_proxies_and_passwords_of_the_environment_are_not_used(host, monkeypatch, tmp_path):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        for form in (name, name.lower()):
            monkeypatch.setenv(form, f"{host.base}/trap")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("default login me password secret")
    await fetch(f"{host.base}/1")
    assert [path for path, _ in host.requests] == ["/1", "/0"]
    assert not any("Authorization" in headers for _, headers in host.requests)
    with pytest.raises(DownloadError):
        await fetch("https://nowhere.invalid/a.png")
    assert len(host.requests) == 2
