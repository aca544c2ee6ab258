"""Keys and drawn seeds, to the last digit: a changed rule would buy every image again."""

from collections.abc import Mapping

import pytest

from batchgen.job.expansion.keys import GridKeys
from batchgen.job.values.axes import Values
from batchgen.job.values.canonical import canonical
from tests.job import golden

CUP: dict[str, object] = {"prompt": "A cup"}
FLOUR = "Eine Tüte Mehl 😀"
PAINT: dict[str, object] = {**CUP, "strength": 0.5, "on": True, "none": None}


def _only(request: Mapping[str, object], model: str) -> tuple[str, int | None]:
    """The key and the drawn seed of the one variant that asks for *request*."""
    values = {name: Values((value,)) for name, value in request.items() if name != "prompt"}
    return GridKeys(model, values).at(str(request["prompt"]), 0)


@pytest.mark.parametrize(
    ("request_", "model", "key"),
    [
        ({**CUP, "seed": 7}, golden.IMAGEN, "fce23d35f44c39b3a0b0"),
        (
            {**CUP, "seed": 7, "aspect_ratio": "16:9", "num_images": 2},
            golden.IMAGEN,
            "f6e13d64db3f7f0ac3a9",
        ),
        ({**CUP, "seed": 7, "negative_prompt": ""}, golden.IMAGEN, "e94a466d3bb3558e0248"),
        ({"prompt": FLOUR, "seed": 2147483647}, golden.IMAGEN, "2e5abae34df546080b97"),
        (PAINT, "acme/paint", "d67b8ae0417be6717c55"),
    ],
)
def test_keys_stay_what_they_are(request_, model, key):
    assert _only(request_, model) == (key, None)
    assert _only(dict(reversed(request_.items())), model) == (key, None)
    assert golden.key(request_, model) == key


@pytest.mark.parametrize(
    ("request_", "seed"),
    [
        (CUP, 1911708542),
        ({**CUP, "aspect_ratio": "16:9"}, 1168967898),
        ({**CUP, "negative_prompt": ""}, 1773977858),
        ({"prompt": FLOUR, "num_images": 4}, 1072069824),
    ],
)
def test_drawn_seeds_stay_what_they_are(request_, seed):
    key = golden.key({**request_, "seed": seed})
    assert _only({**request_, "seed": -1}, golden.IMAGEN) == (key, seed)
    assert golden.seed(request_) == seed


def test_equal_values_of_another_type_are_another_request():
    spelled = {canonical(value) for value in (1, 1.0, True, "1", None, [1], "")}
    assert len(spelled) == 7


def test_a_text_that_no_file_can_hold_has_a_key_too():
    assert _only({"prompt": "a\ud800", "seed": 7}, golden.IMAGEN) != _only(
        {"prompt": "a\ufffd", "seed": 7}, golden.IMAGEN
    )
