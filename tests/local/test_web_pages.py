"""Web pages that a browser on this computer shows can neither read the service nor change it."""

import os

import pytest

from batchgen.errors import UsageError
from batchgen.local import LocalService, LocalSettings
from tests.local.conftest import MODEL

PAGES = ("https://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "file://")
PATHS = ("/", MODEL, "/api/v3/balance", "/api/v3/predictions", "/images/x/0.png", "/nothing")


@pytest.mark.parametrize("origin", PAGES)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
async def test_what_a_page_sends_is_refused_with_or_without_a_key(start, method, origin):
    client = await start()
    for headers in (dict[str, str](), client.headers):
        status, answered, _ = await client.raw(
            method, MODEL, data=b'{"prompt": "a"}', headers={**headers, "Origin": origin}
        )
        assert status == 403
        assert not [name for name in answered if name.lower().startswith("access-control")]
    assert client.service.requests["accepted"] == 0


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_form_without_a_key_submits_nothing(start, kind):
    client = await start()
    headers = {"Content-Type": kind}
    status, _, _ = await client.raw("POST", MODEL, data=b'{"prompt": "a"}', headers=headers)
    assert (status, client.service.requests["accepted"]) == (401, 0)


async def test_its_own_origin_is_answered(start):
    client = await start()
    headers = {**client.headers, "Origin": client.base}
    assert (await client.raw("GET", "/", headers=headers))[0] == 200


async def test_no_answer_invites_other_pages(start):
    client = await start()
    for path in PATHS:
        for method in ("GET", "OPTIONS", "POST"):
            _, headers, _ = await client.raw(method, path)
            assert not [name for name in headers if name.lower().startswith("access-control")]


async def test_only_posts_change_anything(start):
    client = await start()
    data = await client.submit()
    page = {"page": 1, "page_size": 10}
    before = (await client.call("POST", "/api/v3/predictions", page))["data"]
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
        for path in (MODEL, "/api/v3/predictions/delete", f"/api/v3/predictions/{data['id']}"):
            body = b'{"prompt": "a", "ids": ["%s"]}' % data["id"].encode()
            await client.raw(method, path, data=body)
    assert (await client.call("POST", "/api/v3/predictions", page))["data"] == before
    assert client.service.requests["accepted"] == 1


@pytest.mark.parametrize(
    "path",
    [
        *("/images/", "/images/x/", "/images/../README.md", "/images/%2e%2e/%2e%2e/etc/passwd"),
        *("/images/..%2f..%2fetc%2fpasswd/0.png", "/images//etc/passwd", "/images/x/0.png/.."),
    ],
)
async def test_no_folder_is_served(start, path):
    client = await start()
    assert (await client.raw("GET", path, headers={}))[0] == 404


async def test_it_listens_on_this_computer_alone_unless_told_otherwise():
    service = LocalService(LocalSettings())
    base = await service.start()
    try:
        assert base.startswith("http://127.0.0.1:")
        assert LocalSettings().loopback
    finally:
        await service.stop()


async def test_a_state_file_that_is_a_pipe_is_refused(tmp_path):
    path = tmp_path / "state"
    os.mkfifo(path)
    with pytest.raises(UsageError, match="expected a regular file"):
        await LocalService(LocalSettings(state_file=path)).start()
