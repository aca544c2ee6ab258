"""Fetching images: every address checked, every stream capped, nothing given away."""

import asyncio
import gzip

import pytest
from aiohttp import web

from batchgen.api import download
from batchgen.api.download import DownloadError, GoneError
from tests.support.imagehost import HEAD, IMAGE, fetch, hop, host
from tests.support.serving import answer, raw

__all__ = ["host"]


async def test_the_bytes_come_as_they_are_received_and_never_many_at_once(host):
    image = bytes(range(256)) * 32 * 1024  # 8 MiB
    host.behave = answer(200, image)
    chunks = await fetch(f"{host.base}/a")
    assert b"".join(chunks) == image
    assert 0 < min(map(len, chunks)) <= max(map(len, chunks)) <= 512 * 1024


async def test_no_name_no_key_and_no_cookie_is_sent_and_no_compression_asked_for(host):
    # A cookie jar takes nothing from a host that is a mere number.
    await fetch(f"{host.base}/2".replace("127.0.0.1", "localhost"))
    assert [path for path, _ in host.requests] == ["/2", "/1", "/0"]
    for _, headers in host.requests:
        assert headers.keys() == {"Host", "Accept", "Accept-Encoding", "User-Agent"}
        assert headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("hops", [1, 5])
async def test_five_redirects_are_followed(host, hops):
    assert b"".join(await fetch(f"{host.base}/{hops}")) == IMAGE
    assert len(host.requests) == hops + 1


async def test_a_sixth_redirect_is_not_followed(host):
    with pytest.raises(DownloadError, match=r"^more than 5 redirects$"):
        await fetch(f"{host.base}/6")
    assert [path for path, _ in host.requests] == ["/6", "/5", "/4", "/3", "/2", "/1"]


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_an_address_that_no_longer_serves_is_gone(host, status):
    host.behave = answer(status)
    with pytest.raises(GoneError, match=f"^HTTP {status}: the image is not there$"):
        await fetch(f"{host.base}/a")


@pytest.mark.parametrize("status", [201, 204, 206, 400, 401, 408, 416, 429, 500, 502, 503, 504])
async def test_any_other_status_may_pass(host, status):
    host.behave = answer(status)
    with pytest.raises(DownloadError, match=f"^HTTP {status} instead of the image$") as caught:
        await fetch(f"{host.base}/a")
    assert not isinstance(caught.value, GoneError)


CUT = {
    "length": raw(HEAD + b"Content-Length: 1000\r\n\r\n" + bytes(999)),
    "chunk": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + bytes(999)),
    "last chunk": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"),
    "nothing": raw(b""),
    "no HTTP": raw(b"\x89PNG\r\n\x1a\n"),
    "odd redirect": raw(b"HTTP/1.1 302 Found\r\nLocation: http://\xff\r\n\r\n"),
}


@pytest.mark.parametrize("behave", CUT.values(), ids=CUT)
async def test_a_download_that_breaks_off_is_no_image(host, behave):
    host.behave = behave
    with pytest.raises(DownloadError) as caught:
        await fetch(f"{host.base}/a")
    assert not isinstance(caught.value, GoneError)


@pytest.mark.parametrize("where", ["head", "body"])
async def test_a_download_that_stalls_ends_in_time(host, where):
    host.behave = host.hang
    with pytest.raises(DownloadError, match=r"^the image did not come in time$"):
        await fetch(f"{host.base}/{where}", timeout=0.2)


async def test_all_redirects_together_end_in_time(host):
    async def slow_hop(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        return await hop(request)

    host.behave = slow_hop
    with pytest.raises(DownloadError, match=r"^the image did not come in time$"):
        await fetch(f"{host.base}/5", timeout=0.5)
    assert len(host.requests) <= 3


async def test_a_drip_is_given_up(host, monkeypatch):
    monkeypatch.setattr(download, "RATE_WINDOW", 0.2)
    host.behave = host.drip
    with pytest.raises(DownloadError, match=r"^the image came at less than 1024 bytes a second$"):
        await fetch(f"{host.base}/a")
    await asyncio.wait_for(host.hung_up.wait(), 5)


async def test_an_image_that_comes_slowly_but_steadily_is_kept(host, monkeypatch):
    monkeypatch.setattr(download, "RATE_WINDOW", 0.05)
    host.behave = host.trickle
    assert len(b"".join(await fetch(f"{host.base}/a"))) == 8 * 1024


def test_a_drip_is_what_brings_less_than_a_kibibyte_a_second_for_half_a_minute():
    assert (download.MIN_RATE, download.RATE_WINDOW) == (1024, 30)


async def test_a_host_that_does_not_answer_is_a_download_error():
    with pytest.raises(DownloadError, match=r"^the name of the image host leads nowhere$"):
        await fetch("https://nowhere.invalid/a.png")


async def test_a_host_without_a_certificate_is_a_download_error(host):
    with pytest.raises(DownloadError, match=r"^the image host has no certificate that can be"):
        await fetch(f"{host.base}/a".replace("http:", "https:"))


async def test_an_image_is_capped(host, monkeypatch):
    monkeypatch.setattr(download, "MAX_IMAGE_BYTES", len(IMAGE))
    host.behave = answer(200, IMAGE)
    assert b"".join(await fetch(f"{host.base}/a")) == IMAGE
    monkeypatch.setattr(download, "MAX_IMAGE_BYTES", len(IMAGE) - 1)
    with pytest.raises(DownloadError, match=r"^an image of more than 0 MiB$"):
        await fetch(f"{host.base}/a")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "nonsense"])
async def test_what_is_compressed_stays_so(host, coding):
    body = gzip.compress(bytes(10**6))
    host.behave = answer(200, body, Content_Encoding=coding)
    assert b"".join(await fetch(f"{host.base}/a")) == body


@pytest.mark.parametrize("header", [b"X: y\r\n", b"X: " + b"y" * 1000, b"X\r\n y\r\n y"])
async def test_a_flood_of_headers_is_given_up(host, header):
    host.behave = host.flood(HEAD, header)
    with pytest.raises(DownloadError, match=r"^the image host does not speak proper HTTP$"):
        await fetch(f"{host.base}/a")
    assert host.served < 8 * 2**20


def test_the_cap_is_64_mebibytes():
    assert download.MAX_IMAGE_BYTES == 64 * 2**20
