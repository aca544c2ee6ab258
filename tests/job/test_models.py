"""What is known of the model: accepted values, prices, sizes, and which ids may be an address."""

import pytest

from batchgen.job.models import MODELS, Model, find_model, refuse_model_id

IMAGEN = find_model("wavespeed-ai/imagen4")


@pytest.mark.parametrize(
    "model_id",
    ["wavespeed-ai/imagen4", "google/imagen4-ultra", "a/b.1/c_d-e", "a/b/c/d/e", "0/0"],
)
def test_ids_of_models_are_accepted(model_id):
    assert refuse_model_id(model_id) is None


@pytest.mark.parametrize(
    "model_id",
    [
        *[
            "x?webhook=http://h",
            "a/b?webhook=x",
            "a/b#c",
            "../x",
            "a/../b",
            "a/./b",
            "a//b",
            "/a/b",
            "a/b/",
            "a/b..c",
        ],
        *[
            "predictions",
            "A/b",
            "a/B",
            "a\\b/c",
            "a/b%2e",
            "a/.b",
            "a/-b",
            "a/b/c/d/e/f",
            "a:b/c",
            "a@b/c",
            "é/b",
            "a/b;c",
        ],
        *("a/b ", " a/b", "a/b\n", "", "a/" + "b" * 200),
    ],
)
def test_what_could_change_the_address_is_no_id(model_id):
    refusal = refuse_model_id(model_id)
    assert refusal
    assert refusal.startswith("expected a model id such as wavespeed-ai/imagen4 ")


@pytest.mark.parametrize("owner", ["predictions", "balance", "media", "webhook", "models", "user"])
def test_other_endpoints_are_no_models(owner):
    assert refuse_model_id(f"{owner}/foo") == (
        f"expected a model id, got the text '{owner}/foo', which is another endpoint of the API"
    )


def test_the_parameters_are_those_of_the_api_page():
    found = {p.name: (p.kind, p.required, p.default) for p in IMAGEN.parameters}
    assert found == {
        "prompt": ("text", True, None),
        "negative_prompt": ("text", False, None),
        "aspect_ratio": ("text", False, "1:1"),
        "num_images": ("integer", False, 1),
        "seed": ("integer", False, None),
    }


@pytest.mark.parametrize(
    ("model_id", "price", "resolutions"),
    [
        ("wavespeed-ai/imagen4", 40_000, None),
        ("google/imagen4", 38_000, ("1k", "2k")),
        ("google/imagen4-fast", 18_000, None),
        ("google/imagen4-ultra", 58_000, ("1k", "2k")),
    ],
)
def test_the_models_of_imagen_4_differ_in_price_and_resolution(model_id, price, resolutions):
    model = MODELS[model_id]
    assert model.cost_micros({"num_images": 3, "resolution": "2k"}) == 3 * price
    parameter = model.parameter("resolution")
    assert (parameter and parameter.choices) == resolutions
    assert model.default("resolution") == (resolutions and "1k")
    others = {p.name: p for p in model.parameters if p.name != "resolution"}
    assert others == {p.name: p for p in IMAGEN.parameters}


@pytest.mark.parametrize("model_id", [*MODELS, "somebody/else"])
@pytest.mark.parametrize("value", [True, False, "yes", None])
def test_images_inside_answers_are_refused_for_every_model(model_id, value):
    parameter = find_model(model_id).parameter("enable_base64_output")
    assert parameter
    assert parameter.refuse(value) == (
        "batchgen fetches images by their addresses and cannot use enable_base64_output; "
        "leave it out"
    )
    assert parameter not in find_model(model_id).parameters


@pytest.mark.parametrize(
    ("ratio", "size"),
    [
        (None, (2048, 2048)),
        ("1:1", (2048, 2048)),
        ("3:4", (1792, 2560)),
        ("4:3", (2560, 1792)),
        ("9:16", (1536, 2816)),
        ("16:9", (2816, 1536)),
        ("2:1", None),
    ],
)
@pytest.mark.parametrize("model_id", ["google/imagen4", "google/imagen4-ultra"])
def test_a_resolution_of_2k_has_sizes_of_its_own(model_id, ratio, size):
    request = {"resolution": "2k"} | ({"aspect_ratio": ratio} if ratio else {})
    assert find_model(model_id).size(request) == size
    assert find_model(model_id).size({**request, "resolution": "1k"}) == IMAGEN.size(
        request | {"resolution": "1k"}
    )


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("seed", [-1, 0, 2147483647], [-2, 2147483648, 1.0, True, "1", None, []]),
        ("num_images", [1, 4], [0, 5, False, "2"]),
        ("aspect_ratio", ["1:1", "16:9", "9:16", "3:4", "4:3"], ["16x9", "", "2:3", 1, None]),
        ("negative_prompt", ["", " ", "people"], [None, 7, True, ["a"], {}]),
        ("prompt", ["a"], ["", "  \n", 7, None]),
    ],
)
def test_each_parameter_accepts_its_range(name, good, bad):
    parameter = IMAGEN.parameter(name)
    assert parameter
    assert [value for value in good if parameter.refuse(value)] == []
    assert [value for value in bad if not parameter.refuse(value)] == []


@pytest.mark.parametrize(
    ("request_", "images", "cost", "size"),
    [
        ({}, 1, 40_000, (1024, 1024)),
        ({"num_images": 4, "aspect_ratio": "16:9"}, 4, 160_000, (1408, 768)),
        ({"aspect_ratio": "9:16"}, 1, 40_000, (768, 1408)),
        ({"aspect_ratio": "3:4"}, 1, 40_000, (896, 1280)),
        ({"aspect_ratio": "4:3"}, 1, 40_000, (1280, 896)),
        ({"aspect_ratio": "2:1"}, 1, 40_000, None),
    ],
)
def test_a_request_has_a_price_and_a_size(request_, images, cost, size):
    assert IMAGEN.images(request_) == images
    assert IMAGEN.cost_micros(request_) == cost
    assert IMAGEN.size(request_) == size


@pytest.mark.parametrize("count", [0, -3, True, "4", 2.0, None])
def test_an_odd_number_of_images_counts_as_one(count):
    assert Model(id="a/b").images({"num_images": count}) == 1


def test_of_an_unknown_model_nothing_is_guessed():
    model = find_model("acme/paint")
    assert not model.documented
    assert not model.takes_seed()
    assert (model.cost_micros({}), model.size({}), model.default("seed")) == (None, None, None)
