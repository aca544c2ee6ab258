"""The list of models: what is told is read, what is odd is taken as not told."""

import json
from typing import Any

import pytest

from batchgen.api import catalog
from batchgen.api.catalog import CatalogParameter, read_catalog, read_model
from batchgen.api.wire import WireError
from tests.api.test_client_hostile import HEAD, client_of, packed, repeats, says

PROPERTIES: dict[str, Any] = {
    "prompt": {"type": "string", "description": "What to see."},
    "size": {"type": "string", "enum": ["small", "large"], "default": "small"},
    "steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 20},
    "strength": {"type": "number", "minimum": 0.1, "maximum": 1.0},
}
SCHEMA = {"properties": PROPERTIES, "required": ["prompt"]}


def entry(schema: object = SCHEMA, **more: object) -> dict[str, Any]:
    shown = {"api_schemas": [{"type": "model_run", "request_schema": schema}]}
    return {"model_id": "acme/paint", "base_price": 0.05, "api_schema": shown, **more}


def body(*entries: object, **more: object) -> bytes:
    return json.dumps({"code": 200, "message": "success", "data": entries, **more}).encode()


def test_a_model_is_read_with_its_parameters_and_its_price():
    found = read_catalog(body(entry(), {"model_id": "acme/draw"}))
    assert set(found) == {"acme/paint", "acme/draw"}
    model = read_model("acme/paint", found["acme/paint"])
    assert (model.id, model.base_price) == ("acme/paint", 0.05)
    assert list(model.parameters.values()) == [
        CatalogParameter(name="prompt", kind="string", required=True),
        CatalogParameter(name="size", kind="string", choices=("small", "large"), default="small"),
        CatalogParameter(name="steps", kind="integer", minimum=1, maximum=50, default=20),
        CatalogParameter(name="strength", kind="number", minimum=0.1, maximum=1.0),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"code": 200}',
        b'{"code": 200, "data": {}}',
        b'{"code": 200, "data": "models"}',
        b'{"code": 200, "data": NaN}',
        b'{"code": 200, "data": ' + b"[" * 9999,
        b'{"code": 200, "code": 200, "data": []}',
        body(),
        body(None, 7, "x", [], {}),
        body({"model_id": 7}, {"model_id": "../x"}, {"model_id": "a/" + "b" * 200}),
        body(entry(), code=500),
    ],
)
def test_what_is_no_list_of_models_is_an_error(answer):
    with pytest.raises(WireError):
        read_catalog(answer)


def test_a_list_without_an_end_is_an_error(monkeypatch):
    monkeypatch.setattr(catalog, "MAX_MODELS", 2)
    assert len(read_catalog(body(entry(), {"model_id": "a/b"}))) == 2
    with pytest.raises(WireError, match="no list of at most 2 models"):
        read_catalog(body(entry(), {"model_id": "a/b"}, {"model_id": "a/c"}))
    monkeypatch.setattr(catalog, "MAX_CATALOG_BYTES", 100)
    with pytest.raises(WireError, match="more than 100 bytes"):
        read_catalog(body(entry()))


def test_it_may_be_longer_than_any_other_answer():
    assert read_catalog(body(entry(), {"model_id": "a/b", "description": "x" * 3_000_000}))


def test_odd_entries_are_left_out_and_the_first_of_two_counts():
    found = read_catalog(body(None, {"model_id": "A/b"}, entry(), entry(base_price=7)))
    assert set(found) == {"acme/paint"}
    assert read_model("acme/paint", found["acme/paint"]).base_price == 0.05


@pytest.mark.parametrize(
    "shown",
    [
        *(None, 7, [], {}, {"api_schemas": None}, {"api_schemas": []}, {"api_schemas": [7]}),
        {"api_schemas": [{"request_schema": []}]},
        {"api_schemas": [{"request_schema": {"properties": ["prompt"]}}]},
        {"api_schemas": [{"request_schema": {"properties": dict.fromkeys(map(str, range(999)))}}]},
    ],
)
@pytest.mark.parametrize("price", [None, "0.05", True, -1, [], 10**400])
def test_what_a_model_does_not_tell_is_not_known(shown, price):
    model = read_model("acme/paint", {"api_schema": shown, "base_price": price})
    assert (model.base_price, model.parameters) == (None, {})


@pytest.mark.parametrize(
    "told",
    [
        None,
        "string",
        {"type": ["string", "null"]},
        {"enum": "a"},
        {"enum": []},
        {"enum": ["a", None]},
        {"enum": ["a", {"b": 1}]},
        {"enum": ["x" * 1000]},
        {"enum": ["a"] * 2000},
        {"minimum": "1", "maximum": None},
        {"minimum": True, "maximum": float("inf")},
        {"minimum": [], "maximum": {}},
        {"default": ["a"]},
    ],
)
def test_what_is_odd_about_a_parameter_is_no_limit(told):
    model = read_model("acme/paint", entry({"properties": {"size": told}, "required": 7}))
    assert model.parameters == {"size": CatalogParameter(name="size")}


async def test_the_client_takes_a_list_longer_than_any_other_answer():
    told = body(entry(), {"model_id": "a/b", "description": "x" * 3_000_000})
    async with client_of(says(packed(told))) as client:
        assert await client.catalog() == told


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "HTTP 404"),
        (says(b""), "ServerDisconnectedError"),
        (repeats(HEAD + b"\r\n", b" ", wait=0.05), "no answer in time"),
    ],
)
async def test_without_a_list_the_client_says_why(talk, why):
    async with client_of(talk, timeout=0.3) as client:
        assert await client.catalog() == why


async def test_a_list_without_an_end_is_not_read_to_it(monkeypatch):
    monkeypatch.setattr("batchgen.api.client.MAX_CATALOG_BYTES", 100_000)
    async with client_of(repeats(HEAD + b"\r\n", b" " * 65_536)) as client:
        answer = await client.catalog()
        assert isinstance(answer, bytes)
        assert 100_000 < len(answer) < 400_000
