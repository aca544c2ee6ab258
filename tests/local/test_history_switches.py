"""The history can lag behind and can show requests, as a rehearsal of reconciling needs it."""

HISTORY = "/api/v3/predictions"
PAGE = {"page": 1, "page_size": 100}


async def test_the_history_shows_no_requests_as_documented(start):
    client = await start()
    await client.submit("a pear", seed=3)
    (item,) = (await client.call("POST", HISTORY, PAGE))["data"]["items"]
    assert "inputs" not in item
    assert "input" not in item


async def test_the_history_shows_requests_when_told_to(start):
    client = await start(history_inputs=True)
    await client.submit("a pear", seed=3)
    (item,) = (await client.call("POST", HISTORY, PAGE))["data"]["items"]
    assert item["inputs"] == {"prompt": "a pear", "seed": 3}


async def test_the_history_lags_behind_when_told_to(start, clock):
    client = await start(history_lag=30.0)
    await client.submit()
    clock.advance(29)
    assert (await client.call("POST", HISTORY, PAGE))["data"]["items"] == []
    clock.advance(1)
    assert len((await client.call("POST", HISTORY, PAGE))["data"]["items"]) == 1
