import json
import re
from typing import Any

import pytest

from batchgen.api import wire
from batchgen.local.predictions import NSFW_WORDS
from tests.local.conftest import MODEL


async def test_a_submit_is_answered_as_the_real_service_does(start):
    client = await start()
    data = await client.submit(aspect_ratio="16:9", num_images=2, seed=7, negative_prompt="")
    assert re.fullmatch("[0-9a-f]{32}", data["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", data["created_at"])
    data.pop("created_at")
    assert data == {
        "id": data["id"],
        "model": "wavespeed-ai/imagen4",
        "outputs": [],
        "urls": {"get": f"{client.base}/api/v3/predictions/{data['id']}/result"},
        "has_nsfw_contents": [],
        "status": "created",
        "error": "",
        "executionTime": 0,
        "timings": {"inference": 0},
    }


async def test_a_prediction_goes_from_created_over_processing_to_completed(start, clock):
    client = await start(latency=(10, 10))
    data = await client.submit(num_images=3)
    seen = []
    for _ in range(6):
        seen.append((await client.result(data["id"]))["status"])
        clock.advance(2)
    assert seen == ["created", *["processing"] * 4, "completed"]
    done = await client.result(data["id"])
    assert done["outputs"] == [f"{client.base}/images/{data['id']}/{i}.png" for i in range(3)]
    assert done["has_nsfw_contents"] == [False] * 3
    assert done["executionTime"] == done["timings"]["inference"] == 8000


async def test_our_own_reader_understands_the_answers(start):
    client = await start()
    data = await client.submit()
    path = wire.result_path(data["id"])
    status, _, body = await client.raw("GET", path)
    prediction = wire.read_prediction(wire.read_answer(status, body).data)
    assert prediction.completed
    assert prediction.nsfw(0) is False
    assert prediction.created_at == data["created_at"]


async def test_the_short_result_path_answers_alike(start):
    client = await start()
    data = await client.submit()
    short = await client.call("GET", f"/api/v3/predictions/{data['id']}")
    assert short["data"] == await client.result(data["id"])


async def test_latency_follows_from_the_request(start, clock):
    client = await start(latency=(1, 100))

    async def milliseconds(**parameters: Any) -> Any:
        data = await client.submit(**parameters)
        clock.advance(100)
        return (await client.result(data["id"]))["timings"]["inference"]

    first = await milliseconds(seed=1)
    assert first == await milliseconds(seed=1)
    others = [
        await milliseconds(seed=2),
        await milliseconds(seed=1, num_images=2),
        await milliseconds(seed=1, aspect_ratio="3:4"),
        await milliseconds(seed=1, negative_prompt="x"),
        await milliseconds(seed=1, prompt="a plum"),
    ]
    assert len({first, *others}) == 6
    assert all(0.8 * 1000 <= value <= 0.8 * 100_000 for value in [first, *others])


@pytest.mark.parametrize("parameters", [{}, {"seed": -1}])
async def test_without_a_seed_each_prediction_draws_its_own(start, parameters):
    client = await start()
    pictures = set()
    for _ in range(2):
        done = await client.result((await client.submit(**parameters))["id"])
        status, _, body = await client.raw("GET", done["outputs"][0])
        assert status == 200
        assert body == (await client.raw("GET", done["outputs"][0]))[2]
        pictures.add(body)
    assert len(pictures) == 2


@pytest.mark.parametrize("word", NSFW_WORDS)
async def test_the_word_rule_flags_every_image(start, word):
    client = await start()
    data = await client.submit(f"A {word.upper()}, at dawn", num_images=2)
    assert (await client.result(data["id"]))["has_nsfw_contents"] == [True, True]


async def test_the_word_rule_takes_whole_words_of_the_prompt_only(start):
    client = await start()
    data = await client.submit("Bloodhounds explicitly denuded", negative_prompt="nude")
    assert (await client.result(data["id"]))["has_nsfw_contents"] == [False]


async def test_after_seven_days_a_prediction_is_forgotten(start, clock):
    client = await start()
    data = await client.submit()
    done = await client.result(data["id"])
    clock.advance(7 * 24 * 3600 - 1)
    assert (await client.result(data["id"]))["status"] == "completed"
    clock.advance(1)
    assert await client.result(data["id"]) is None
    assert (await client.raw("GET", done["outputs"][0]))[0] == 404
    listed = await client.call("POST", "/api/v3/predictions", {"page": 1, "page_size": 1})
    assert listed["data"]["items"] == []


async def test_ids_belong_to_the_key_that_made_them(start):
    client = await start()
    data = await client.submit()
    other = {"Authorization": "Bearer key-2"}
    path = f"/api/v3/predictions/{data['id']}"
    assert (await client.call("GET", path, headers=other))["code"] == 404
    page = {"page": 1, "page_size": 9}
    listed = await client.call("POST", "/api/v3/predictions", page, headers=other)
    assert listed["data"]["total"] == 0
    body = {"ids": [data["id"]]}
    gone = await client.call("POST", "/api/v3/predictions/delete", body, headers=other)
    assert gone["data"] == {"deleted_count": 0}
    assert (await client.call("GET", path))["code"] == 200


async def test_delete_drops_predictions_and_their_images(start):
    client = await start()
    data = await client.submit()
    done = await client.result(data["id"])
    gone = await client.call(
        "POST", "/api/v3/predictions/delete", {"ids": [data["id"], data["id"], "unknown"]}
    )
    assert gone["data"] == {"deleted_count": 1}
    assert await client.result(data["id"]) is None
    assert (await client.raw("GET", done["outputs"][0]))[0] == 404


class TestHistory:
    @pytest.fixture
    async def client(self, start, clock):
        client = await start(latency=(10, 10))
        client.ids = []
        for _ in range(5):
            client.ids.append((await client.submit())["id"])
            clock.advance(4)
        return client

    async def page(self, client: Any, **query: Any) -> Any:
        body = {"page": 1, "page_size": 100, **query}
        return (await client.call("POST", "/api/v3/predictions", body))["data"]

    async def test_newest_first_in_pages(self, client):
        pages = [await self.page(client, page=n, page_size=2) for n in (1, 2, 3, 4)]
        assert [[item["id"] for item in page["items"]] for page in pages] == [
            client.ids[:2:-1],
            client.ids[2:0:-1],
            client.ids[:1],
            [],
        ]
        assert {(page["total"], page["page_size"]) for page in pages} == {(5, 2)}

    async def test_items_are_result_data_with_nine_decimals(self, client):
        item = (await self.page(client))["items"][-1]
        assert re.search(r"\.\d{9}Z$", item["created_at"])
        result = await client.result(item["id"])
        assert wire.read_time(item.pop("created_at")) == result.pop("created_at")
        assert item == result

    async def test_filters(self, client):
        completed = await self.page(client, status="completed")
        assert [item["id"] for item in completed["items"]] == client.ids[2::-1]
        assert (await self.page(client, model="wavespeed-ai/imagen4"))["total"] == 5
        assert (await self.page(client, model="other/model"))["total"] == 0
        third = (await client.result(client.ids[2]))["created_at"]
        assert (await self.page(client, created_after=third))["total"] == 3
        assert (await self.page(client, created_before=third))["total"] == 3
        both = await self.page(client, created_after=third, created_before=third)
        assert [item["id"] for item in both["items"]] == [client.ids[2]]

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ({"page": 0}, "page"),
            ({"page": None}, "page"),
            ({"page": True}, "page"),
            ({"page_size": 101}, "page_size"),
            ({"status": 3}, "status"),
            ({"created_after": "yesterday"}, "created_after"),
        ],
    )
    async def test_a_wrong_query_is_named(self, client, query, named):
        body = {"page": 1, "page_size": 10, **query}
        envelope = await client.call("POST", "/api/v3/predictions", body)
        assert envelope["code"] == 400
        assert envelope["message"].startswith(f"{named}:")


class TestTiers:
    async def test_too_many_images_in_a_minute_are_refused_until_there_is_room(self, start, clock):
        client = await start(tier="bronze")
        await client.submit()
        clock.advance(20)
        await client.submit()
        status, headers, body = await client.raw("POST", MODEL, json={"prompt": "a pear"})
        assert (status, headers["Retry-After"]) == (429, "40")
        assert json.loads(body)["data"] is None
        clock.advance(39)
        assert (await client.call("POST", MODEL, {"prompt": "a pear"}))["code"] == 429
        clock.advance(1)
        await client.submit()
        assert client.service.requests["accepted"] == 3

    async def test_images_are_counted_and_accounts_are_apart(self, start):
        client = await start(tier="bronze")
        await client.submit(num_images=2)
        assert (await client.call("POST", MODEL, {"prompt": "a"}))["code"] == 429
        client.headers = {"Authorization": "Bearer key-2"}
        await client.submit()

    async def test_a_request_larger_than_the_limit_passes_when_nothing_else_did(self, start, clock):
        client = await start(tier="bronze")
        await client.submit(num_images=4)
        clock.advance(60)
        await client.submit()
        assert (await client.call("POST", MODEL, {"prompt": "a", "num_images": 4}))["code"] == 429

    async def test_over_the_concurrency_limit_a_prediction_stays_created(self, start, clock):
        client = await start(tier="bronze", latency=(100, 100))
        ids = [(await client.submit())["id"] for _ in range(2)]
        clock.advance(60)
        ids.append((await client.submit())["id"])
        clock.advance(39)
        states = [(await client.result(i))["status"] for i in ids]
        assert states == ["processing", "processing", "created"]
        clock.advance(1 + 99)
        assert (await client.result(ids[2]))["status"] == "processing"
        clock.advance(1)
        done = await client.result(ids[2])
        assert (done["status"], done["executionTime"]) == ("completed", 80_000)
