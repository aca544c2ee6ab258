import io
import subprocess
import sys
from dataclasses import replace

import pytest
from PIL import Image

from batchgen.job.models import MODELS
from batchgen.local.canvas import Canvas
from batchgen.local.caption import showable
from batchgen.local.palette import choose_palette, oklch
from batchgen.local.pictures import SCENES, Picture, draw_png, plan
from batchgen.local.png import encode_png

PEAR = Picture(prompt="a pear", negative_prompt="", seed=7, size=(1024, 1024), index=0)


def test_the_same_request_gives_the_same_bytes():
    assert draw_png(PEAR) == draw_png(PEAR)


def test_the_same_bytes_come_from_another_process():
    code = (
        "import hashlib; from batchgen.local.pictures import *; "
        f"print(hashlib.sha256(draw_png({PEAR!r})).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "a plum"},
        {"negative_prompt": "people"},
        {"seed": 8},
        {"size": (1408, 768)},
        {"index": 1},
    ],
)
def test_anything_else_gives_another_picture(other):
    first, second = draw_png(PEAR), draw_png(replace(PEAR, **other))
    assert first != second


@pytest.mark.parametrize(("ratio", "size"), MODELS["wavespeed-ai/imagen4"].sizes.items())
def test_every_ratio_has_the_size_of_the_model(ratio, size):
    with Image.open(io.BytesIO(draw_png(replace(PEAR, size=size)))) as image:
        image.load()
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", size)


def test_a_larger_one_shows_the_same():
    with (
        Image.open(io.BytesIO(draw_png(replace(PEAR, scale=2)))) as large,
        Image.open(io.BytesIO(draw_png(PEAR))) as small,
    ):
        assert large.size == (2048, 2048)
        assert large.reduce(2).tobytes() == small.tobytes()


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize(("seed", "size"), [(0, (1024, 1024)), (1, (1408, 768)), (2, (768, 1408))])
def test_every_kind_of_scene_fills_the_picture(name, seed, size):
    picture = replace(PEAR, prompt=f"{name} {seed}", seed=seed, size=size)
    _, palette, chance = plan(picture)
    canvas = Canvas(size)
    SCENES[name](canvas, palette, chance)
    assert len(canvas.image.getcolors(1 << 24) or []) > 200
    assert len(encode_png(canvas.image)) < 600_000


@pytest.mark.parametrize(
    "prompt",
    [
        "\U0001f600" * 50,
        "\x00\x01\x1b[31m",
        "x" * 100_000,
        "\u202e\u0645\u062f\u064a\u0646\u0629 \u05e2\u05d9\u05e8",
        "\ud800 alone",
        "\u6771\u4eac\u306e\u591c",
        "a\u0301" * 300,
        "%s {} \\ \" '",
        " ",
    ],
    ids=[
        "emoji",
        "controls",
        "long",
        "right-to-left",
        "surrogate",
        "cjk",
        "marks",
        "code",
        "blank",
    ],
)
def test_a_hostile_prompt_is_drawn(prompt):
    with Image.open(io.BytesIO(draw_png(replace(PEAR, prompt=prompt)))) as image:
        image.load()


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("Caf\u00e9 in Z\u00fcrich", "Cafe in Zurich"),
        ("two\n  lines\tand\x00", "two lines and\u00b7"),
        ("\u6771\u4eac at night", "\u00b7 at night"),
        ("\u6771\u4eac", "(prompt of 2 characters)"),
        ("a \u2014 b", "a - b"),
    ],
)
def test_the_caption_shows_what_the_font_has(prompt, shown):
    assert showable(prompt) == shown


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A city by the sea", {"city", "landscape"}),
        ("Espresso machine on a counter", {"still life"}),
        ("FERN, pressed", {"botanical"}),
    ],
)
def test_words_of_the_prompt_steer_the_scene(prompt, name):
    assert plan(replace(PEAR, prompt=prompt))[0] in name


def test_the_seed_keeps_the_kind_of_scene():
    assert len({plan(replace(PEAR, seed=seed))[0] for seed in range(9)}) == 1
    assert len({plan(replace(PEAR, prompt=f"p{n}"))[0] for n in range(60)}) == len(SCENES)


def test_colours_match_published_values():
    assert oklch(1, 0, 0) == (255, 255, 255)
    assert oklch(0, 0, 0) == (0, 0, 0)
    assert oklch(0.62796, 0.25768, 29.23) == (255, 0, 0)  # the red of CSS Color 4
    assert oklch(0.45201, 0.31321, 264.05) == (0, 0, 255)


def test_the_encoder_keeps_every_pixel():
    image = Image.effect_noise((37, 23), 90).convert("RGB")
    with Image.open(io.BytesIO(encode_png(image))) as read:
        assert read.tobytes() == image.tobytes()


def test_what_lies_outside_is_not_painted():
    import random

    canvas = Canvas((20, 10))
    canvas.disc((-50, 5), 10, (255, 0, 0))
    canvas.glow((90, 5), 20, (255, 0, 0), 1)
    canvas.band(4, 4, (255, 0, 0))
    assert canvas.image.getcolors() == [(200, (0, 0, 0))]
    palette = choose_palette(frozenset({"night"}), random.Random(1), random.Random(2))
    assert palette.night
