import asyncio
import gc
import io
import threading

import aiohttp
import pytest
from PIL import Image

from batchgen.errors import UsageError
from batchgen.job.models import MODELS
from batchgen.local import LocalService, LocalSettings, local_service
from tests.local.conftest import MODEL


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer  "}, {"X-API-Key": "k"}]
)
async def test_without_a_bearer_key_the_api_says_401(start, headers):
    client = await start()
    for method, path in [("POST", MODEL), ("GET", "/api/v3/balance"), ("GET", "/api/v3/nothing")]:
        envelope = await client.call(method, path, headers=headers)
        assert envelope["code"] == 401
        assert "Authorization: Bearer" in envelope["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "prompt: required"),
        ({"prompt": "  "}, "prompt: expected a text that is not empty"),
        ({"prompt": 7}, "prompt: expected a text, got the number 7"),
        ({"prompt": "a", "seed": 2**31}, "seed: expected a whole number from -1 to 2147483647"),
        ({"prompt": "a", "seed": None}, "seed: expected a whole number"),
        ({"prompt": "a", "num_images": 5}, "num_images: expected a whole number from 1 to 4"),
        ({"prompt": "a", "num_images": True}, "num_images: expected"),
        ({"prompt": "a", "aspect_ratio": "16x9"}, "aspect_ratio: expected one of 1:1, 16:9"),
        ({"prompt": "a", "prompts": "b"}, "'prompts': not a parameter"),
        ([], "expected a JSON object"),
        ("text", "expected a JSON object"),
    ],
)
async def test_a_wrong_submit_is_400_and_says_what_to_change(start, body, message):
    client = await start()
    envelope = await client.call("POST", MODEL, body)
    assert envelope["code"] == 400
    assert message in envelope["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"prompt": NaN}', b"[" * 100_000, b"9" * 5000]
)
async def test_a_body_that_is_not_json_is_400(start, body):
    client = await start()
    status, _, answer = await client.raw("POST", MODEL, data=body)
    assert (status, b'"code":400' in answer) == (400, True)


async def test_a_body_of_more_than_two_mib_is_413(start):
    client = await start()
    status, _, answer = await client.raw(
        "POST", MODEL, data=io.BytesIO(b" " * (2 * 1024 * 1024 + 1))
    )
    assert (status, b'"code":413' in answer) == (413, True)


async def test_a_webhook_is_refused_rather_than_forgotten(start):
    client = await start()
    envelope = await client.call("POST", f"{MODEL}?webhook=https://example.org", {"prompt": "a"})
    assert envelope["code"] == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v3/other/model"),
        ("POST", "/api/v3/predictions/nothing"),
        ("GET", "/api/v3/predictions/00000000000000000000000000000000/result"),
        ("GET", "/api/v3/predictions/%2e%2e%2f"),
        ("GET", MODEL),
        ("GET", "/nothing"),
        ("DELETE", "/"),
        ("GET", "/images/00000000000000000000000000000000/0.png"),
        ("GET", "/images/x/9999.png"),
    ],
)
async def test_what_is_not_there_is_404(start, method, path):
    client = await start()
    assert (await client.call(method, path))["code"] == 404


async def test_an_unknown_model_names_those_served(start):
    client = await start()
    envelope = await client.call("POST", "/api/v3/google/imagen9", {"prompt": "a"})
    assert "wavespeed-ai/imagen4, google/imagen4, " in envelope["message"]


async def test_only_its_own_names_are_answered(start):
    client = await start()
    port = client.base.rpartition(":")[2]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert (await client.raw("GET", "/", headers={"Host": host}))[0] == 200
    for host in (
        f"evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost",
        f"127.0.0.1.x:{port}",
    ):
        envelope = await client.call("GET", "/", headers={"Host": host})
        assert envelope["code"] == 403


async def test_on_all_addresses_the_urls_name_the_one_a_client_came_by():
    service = LocalService(LocalSettings(host="0.0.0.0", latency=(0, 0)))
    base = await service.start()
    try:
        assert base.startswith("http://127.0.0.1:")
        headers = {"Authorization": "Bearer k", "Host": "build-box:80"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(base + MODEL, json={"prompt": "a"}) as answer,
        ):
            data = (await answer.json())["data"]
        assert data["urls"]["get"].startswith("http://build-box:80/api/v3/")
    finally:
        await service.stop()


async def test_balance_price_and_catalog(start):
    client = await start()
    assert (await client.call("GET", "/api/v3/balance"))["data"] == {"balance": 1000.0}
    quote = {"model_id": "wavespeed-ai/imagen4", "inputs": {"prompt": "a", "num_images": 3}}
    assert (await client.call("POST", "/api/v3/model/price", quote))["data"] == {
        "price": 0.12,
        "discounted_price": 0.12,
        "currency": "USD",
    }
    assert (await client.call("POST", "/api/v3/model/price", {"model_id": "x/y"}))["code"] == 404
    quote = {"model_id": "wavespeed-ai/imagen4", "inputs": []}
    assert (await client.call("POST", "/api/v3/model/price", quote))["code"] == 400
    entry, *others = (await client.call("GET", "/api/v3/models"))["data"]
    assert [entry["model_id"], *(other["model_id"] for other in others)] == [*MODELS]
    assert (entry["model_id"], entry["type"]) == ("wavespeed-ai/imagen4", "text-to-image")
    assert entry["base_price"] == 0.04
    schema = entry["api_schema"]["api_schemas"][0]["request_schema"]
    assert schema["required"] == ["prompt"]
    assert list(schema["properties"]) == schema["x-order-properties"]
    assert schema["properties"]["num_images"]["maximum"] == 4
    assert schema["properties"]["aspect_ratio"]["default"] == "1:1"
    quote = {"model_id": "google/imagen4-ultra", "inputs": {"num_images": 2, "resolution": "2k"}}
    assert (await client.call("POST", "/api/v3/model/price", quote))["data"]["price"] == 0.116


@pytest.mark.parametrize(
    ("model", "body", "size"),
    [
        ("google/imagen4", {}, (1024, 1024)),
        ("google/imagen4", {"resolution": "2k", "aspect_ratio": "16:9"}, (2816, 1536)),
        ("google/imagen4-fast", {"aspect_ratio": "3:4"}, (896, 1280)),
        ("google/imagen4-ultra", {"resolution": "2k"}, (2048, 2048)),
    ],
)
async def test_every_model_is_drawn_at_its_size(start, clock, model, body, size):
    client = await start()
    data = (await client.call("POST", f"/api/v3/{model}", {"prompt": "a", **body}))["data"]
    (address,) = (await client.result(data["id"]))["outputs"]
    _, _, image = await client.raw("GET", address, headers={})
    with Image.open(io.BytesIO(image)) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", size)


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        ("google/imagen4", {"resolution": "4k"}, "resolution: expected one of 1k, 2k"),
        ("google/imagen4-fast", {"resolution": "2k"}, "'resolution': not a parameter"),
        ("google/imagen4", {"enable_base64_output": True}, "leave it out"),
    ],
)
async def test_each_model_takes_its_own_parameters(start, model, body, message):
    client = await start()
    envelope = await client.call("POST", f"/api/v3/{model}", {"prompt": "a", **body})
    assert (envelope["code"], message in envelope["message"]) == (400, True)


async def test_the_front_page_says_what_this_is(start):
    client = await start()
    status, headers, body = await client.raw("GET", "/", headers={})
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert b"no model made them" in body
    assert "Access-Control-Allow-Origin" not in headers


async def test_an_image_needs_no_key_and_comes_with_its_length(start, clock):
    client = await start(latency=(5, 5))
    data = await client.submit(seed=1, num_images=2)
    url = f"{client.base}/images/{data['id']}"
    assert (await client.raw("GET", f"{url}/0.png", headers={}))[0] == 404
    clock.advance(5)
    status, headers, body = await client.raw("GET", f"{url}/0.png", headers={})
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert int(headers["Content-Length"]) == len(body)
    assert body.startswith(b"\x89PNG\r\n\x1a\n")
    assert (await client.raw("GET", f"{url}/1.png"))[2] != body
    assert (await client.raw("GET", f"{url}/2.png"))[0] == 404


async def test_what_was_asked_is_counted(start):
    client = await start()
    data = await client.submit()
    await client.result(data["id"])
    await client.call("POST", MODEL, {})
    await client.raw("GET", "/nothing")
    assert client.service.requests == {"submits": 2, "accepted": 1, "polls": 1, "unknown": 1}


async def test_it_stops_at_once_and_leaves_nothing_behind():
    loop = asyncio.get_running_loop()
    threads = set(threading.enumerate())
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer k"}) as session:
        async with local_service(LocalSettings(latency=(0, 0))) as base:
            async with session.post(base + MODEL, json={"prompt": "a"}) as answer:
                data = (await answer.json())["data"]
            async with session.get(f"{base}/images/{data['id']}/0.png") as answer:
                await answer.read()
            began = loop.time()  # the session keeps its connection open
        assert loop.time() - began < 1
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(base)
    assert set(threading.enumerate()) == threads
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()  # a socket left open would warn, and warnings are errors


async def test_a_taken_port_is_said_in_one_sentence():
    async with local_service() as base:
        port = int(base.rpartition(":")[2])
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 is in use"):
            await LocalService(LocalSettings(port=port)).start()


async def test_an_address_of_another_computer_is_refused():
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1"):
        await LocalService(LocalSettings(host="192.0.2.1")).start()


@pytest.mark.parametrize(
    "settings",
    [
        {"latency": (2, 1)},
        {"latency": (-1, 1)},
        {"latency": (0, float("inf"))},
        {"latency": (float("nan"), 1)},
        {"port": 70_000},
        {"tier": "platinum"},
    ],
)
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(UsageError):
        LocalSettings(**settings)
