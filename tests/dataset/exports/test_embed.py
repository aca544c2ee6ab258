"""Provenance in a picture: read back by Pillow, and not a pixel is touched."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from batchgen.dataset.exports.embed import embed, parameters
from batchgen.dataset.files.picture import look_at
from tests.dataset.made import HOSTILE
from tests.dataset.pictures import picture

ROW: dict[str, object] = {
    "prompt": "A jug 🫖",
    "negative_prompt": "people",
    "seed": 7,
    "width": 13,
    "height": 7,
    "model": 'a/"b"&<c>',
}
TEXT = 'A jug 🫖\nNegative prompt: people\nSeed: 7, Size: 13x7, Model: a/"b"&<c>'
FORMS = [("PNG", "RGB"), ("PNG", "RGBA"), ("JPEG", "RGB"), ("JPEG", "L"), ("WEBP", "RGB"),
         ("WEBP", "RGBA"), ("WEBP-lossless", "RGB"), ("WEBP-lossless", "RGBA")]  # fmt: skip


def comment(image: Image.Image) -> str:
    if image.format == "PNG":
        return str(image.info["parameters"])
    found = image.getexif().get_ifd(0x8769)[0x9286]
    assert found.startswith(b"UNICODE\0")
    return str(found[8:].decode("utf-16-be"))


def xmp(image: Image.Image) -> str:
    found = image.info["XML:com.adobe.xmp" if image.format == "PNG" else "xmp"]
    return found if isinstance(found, str) else str(found.decode())


@pytest.mark.parametrize(("form", "mode"), FORMS)
def test_other_tools_read_it_and_the_pixels_are_the_same(form, mode):
    data = picture(form, (13, 7), mode)
    made = embed(data, ROW)
    assert look_at(memoryview(made)) == look_at(memoryview(data))
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(made))
    assert (after.mode, after.size) == (before.mode, before.size)
    assert after.tobytes() == before.tobytes()
    assert comment(after) == TEXT
    assert "digitalsourcetype/trainedAlgorithmicMedia" in xmp(after)
    assert "a/&quot;b&quot;&amp;&lt;c&gt;" in xmp(after) or "'a/\"b\"&amp;&lt;c&gt;'" in xmp(after)


@pytest.mark.parametrize(("form", "mode"), FORMS)
def test_what_is_there_already_is_left_alone(form, mode):
    once = embed(picture(form, (13, 7), mode), ROW)
    assert embed(once, {**ROW, "prompt": "another"}) == once


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("prompt", [*HOSTILE, "x" * 40_000])
def test_any_prompt(form, prompt):
    made = embed(picture(form), {**ROW, "prompt": prompt})
    look_at(memoryview(made))
    with Image.open(io.BytesIO(made)) as image:
        image.load()
        if form != "JPEG" or len(prompt) < 30_000:  # a segment of a JPEG holds no more
            assert comment(image).startswith(prompt)


@given(st.binary(max_size=60), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_a_picture_that_says_more_keeps_it(extra, form):
    file = io.BytesIO()
    options = {"exif": b"Exif\0\0MM\0*\0\0\0\x08" + extra} if form != "PNG" and extra else {}
    Image.open(io.BytesIO(picture(form))).save(file, form, **options)
    made = embed(file.getvalue(), ROW)
    assert look_at(memoryview(made)).width == 13


def test_what_is_unknown_is_not_said():
    row = {**ROW, "seed": None, "negative_prompt": ""}
    assert parameters(row) == 'A jug 🫖\nSize: 13x7, Model: a/"b"&<c>'
