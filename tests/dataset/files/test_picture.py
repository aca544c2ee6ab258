"""Image bytes: type and size are read, everything that is not whole is refused."""

import io
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from batchgen.dataset.files.picture import MAX_PIXELS, Picture, PictureError, look_at
from tests.dataset.pictures import chunk, picture, png_of_size

KINDS = {
    "PNG": ("image/png", ".png"),
    "JPEG": ("image/jpeg", ".jpg"),
    "WEBP": ("image/webp", ".webp"),
    "WEBP-lossless": ("image/webp", ".webp"),
}
MODES = [("PNG", m) for m in ("RGB", "RGBA", "L", "1", "P")] + [("JPEG", "RGB"), ("JPEG", "L")]
MODES += [(form, mode) for form in ("WEBP", "WEBP-lossless") for mode in ("RGB", "RGBA")]
WHOLE = [picture(form, mode=mode) for form, mode in MODES]
PNG = b"\x89PNG\r\n\x1a\n"
SOF = b"\xff\xc0\0\x0b\x08\0\7\0\x0d\1\1\x11\0"  # 13 × 7 pixels
SOS = b"\xff\xda\0\x08\1\1\0\0\x3f\0"


def riff(*parts: bytes) -> bytes:
    """A WebP file; *parts* are the kind and the body of each chunk in turn."""
    chunks = b"".join(
        kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
        for kind, body in zip(parts[::2], parts[1::2], strict=True)
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def look(data: bytes) -> Picture:
    return look_at(memoryview(data))


@pytest.mark.parametrize("size", [(1, 1), (13, 7), (300, 2), (1, 1408)])
@pytest.mark.parametrize(("form", "mode"), MODES)
def test_type_and_size_are_those_the_picture_was_made_with(form, mode, size):
    media_type, ending = KINDS[form]
    width, height = size
    assert look(picture(form, size, mode)) == Picture(
        media_type=media_type, ending=ending, width=width, height=height
    )


@pytest.mark.parametrize("data", WHOLE, ids=map("-".join, MODES))
def test_every_cut_is_noticed(data):
    for length in range(len(data)):
        with pytest.raises(PictureError):
            look(data[:length])


@pytest.mark.parametrize("flip", [0x01, 0x20, 0xFF])
def test_every_changed_byte_of_a_png_is_noticed(flip):
    data = picture("PNG")
    for at in range(len(data)):
        with pytest.raises(PictureError):
            look(data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a PNG, JPEG or WebP image, got nothing"),
        (b"<!DOCTYPE html><html>", "expected a PNG, JPEG or WebP image, got text"),
        (b'\r\n {"code": 404}', "expected a PNG, JPEG or WebP image, got text"),
        (b"[]", "expected a PNG, JPEG or WebP image, got text"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "expected a .*, got text"),
        (picture("GIF"), "expected a .*, got bytes that start 47494638"),
        (picture("BMP"), "expected a .*, got bytes that start 424d"),
        (picture("TIFF"), "expected a .*, got bytes that start 49492a00"),
        (b"RIFF\x04\0\0\0WAVEfmt ", "expected a .*, got bytes that start 52494646"),
        (b"PK\3\4", "expected a .*, got bytes that start 504b0304"),
        # PNG
        (picture("PNG") + b"<script>", "the PNG image goes on behind its end"),
        (picture("PNG") + chunk(b"teXt", b"<script>") + chunk(b"IEND"), "goes on behind its end"),
        (
            png_of_size(8, 8)[: -len(chunk(b"IEND"))] + chunk(b"IEND", b"x"),
            "goes on behind its end",
        ),
        (png_of_size(8, 8)[: -len(chunk(b"IEND"))], "it has no end"),
        (PNG + chunk(b"IEND"), "expected one header, at its start"),
        (PNG + chunk(b"IHDR", b"x") + chunk(b"IEND"), "expected one header, at its start"),
        (PNG + chunk(b"tEXt") + png_of_size(8, 8)[8:], "expected one header, at its start"),
        (png_of_size(8, 8)[:-12] + png_of_size(9, 9)[8:], "expected one header, at its start"),
        (png_of_size(8, 8)[:33] + chunk(b"IEND"), "the PNG image holds no pixels"),
        (png_of_size(8, 8)[:33] + b"\xff\xff\xff\xffIDAT" + bytes(99), "is cut short"),
        # JPEG
        (picture("JPEG") + b"<?php", "it has no end marker"),
        (picture("JPEG") + bytes(2_000), "it has no end marker"),
        (b"\xff\xd8\xff\xd9", "its headers lead to no pixels"),
        (b"\xff\xd8" + SOF + b"\xff\xd9", "its headers lead to no pixels"),
        (b"\xff\xd8" + SOS + b"\xff\xd9", "its headers lead to no pixels"),
        (b"\xff\xd8" + SOF + SOF + SOS + b"\xff\xd9", "expected one header with its size"),
        (b"\xff\xd8\xff\xc0\0\2" + SOS + b"\xff\xd9", "expected one header with its size"),
        (b"\xff\xd8\xff\xe0\0\0" + SOF + SOS + b"\xff\xd9", "its headers lead to no pixels"),
        (b"\xff\xd8\xff\xe0\0\2xx\xff\xd9", "expected a marker"),
        (b"\xff\xd8\xff\xe0\xff\xff\xff\xd9", "middle of its header"),
        # WebP
        (b"RIFF\x04\0\0\0WEBP", "its chunks hold no pixels"),
        (b"RIFF\x08\0\0\0WEBPVP8X", "middle of its header"),
        (riff(b"ALPH", b"abcd"), "starts with an unknown chunk"),
        (riff(b"VP8L", b"abcdefgh"), "starts with an unknown chunk"),
        (riff(b"VP8 ", b"abcdefghijkl"), "starts with an unknown chunk"),
        (riff(b"VP8X", bytes(10)), "its chunks hold no pixels"),
        (riff(b"VP8X", b"abc"), "middle of its header"),
        (riff(b"VP8L", b"\x2f" + bytes(4))[:-1] + b"\xff" * 9, "goes on behind its end"),
        (picture("WEBP") + b"<script>", "goes on behind its end"),
        (picture("WEBP") + bytes(2_000), "goes on behind its end"),
        (b"RIFF\x04\0\0\0WEBP" + picture("WEBP")[12:], "goes on behind its end"),
        (b"RIFF\xff\xff\xff\xffWEBP" + picture("WEBP")[12:], "is cut short"),
        (picture("WEBP")[:16] + b"\xff" * 4 + picture("WEBP")[20:], "longer than the file"),
    ],
)
def test_what_is_no_whole_image_is_refused_with_the_reason(data, message):
    with pytest.raises(PictureError, match=message):
        look(data)


@pytest.mark.parametrize("padding", [1, 3, 1_000])
@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_zeros_behind_a_jpeg_or_webp_are_padding(form, padding):
    data = picture(form)
    assert look(data + bytes(padding)) == look(data)


def test_the_size_is_not_that_of_a_thumbnail():
    small, data = picture("JPEG", (160, 120)), picture("JPEG")
    exif = b"\xff\xe1" + struct.pack(">H", 8 + len(small)) + b"Exif\0\0" + small
    assert look(data[:2] + exif + data[2:]) == look(data)


def test_a_moving_png_or_webp_is_judged_by_its_header_alone():
    one, two = (Image.new("RGB", (13, 7), colour) for colour in ("red", "blue"))
    for form in ("PNG", "WEBP"):
        file = io.BytesIO()
        one.save(file, form, save_all=True, append_images=[two])
        found = look(file.getvalue())
        assert (found.width, found.height) == (13, 7)


@pytest.mark.parametrize(
    ("start", "part", "end"),
    [
        (png_of_size(8, 8)[:33], chunk(b"teXt"), chunk(b"IEND")),
        (b"\xff\xd8", b"\xff\xe0\0\2", b"\xff\xd9"),
        (b"\xff\xd8", b"\xff", b"\xd9"),
        (b"RIFF\x16\0\0\4WEBPVP8X\x0a\0\0\0" + bytes(10), b"teXt\0\0\0\0", b""),
    ],
    ids=["PNG chunks", "JPEG segments", "JPEG fill bytes", "WebP chunks"],
)
def test_a_file_of_millions_of_tiny_parts_is_given_up(start, part, end):
    data = memoryview(start + part * (64 * 2**20 // len(part)) + end)
    begun = time.process_time()
    with pytest.raises(PictureError):
        look_at(data)
    # To walk any of them to its end takes many times as long.
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("size", [(10_001, 10_000), (2**31 - 1, 2**31 - 1), (0, 5), (5, 0)])
def test_absurd_sizes_are_refused(size):
    with pytest.raises(PictureError, match=f"^refused an image of {size[0]} × {size[1]} pixels$"):
        look(png_of_size(*size))


def test_the_largest_size_is_accepted():
    assert look(png_of_size(10_000, MAX_PIXELS // 10_000)).height == 10_000


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "WEBP-lossless"])
def test_the_limit_holds_for_every_type(form):
    data = bytearray(picture(form))
    if form == "JPEG":
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 60_000, 60_000)
    elif form == "WEBP":
        struct.pack_into("<HH", data, 26, 0x3FFF, 0x3FFF)
    else:
        struct.pack_into("<I", data, 21, 0x0FFFFFFF)
    with pytest.raises(PictureError, match=r"^refused an image of"):
        look(bytes(data))


def test_a_canvas_of_an_extended_webp_is_limited_too():
    data = bytearray(picture("WEBP", mode="RGBA"))
    assert data[12:16] == b"VP8X"
    data[24:30] = b"\xff" * 6
    with pytest.raises(PictureError, match=r"^refused an image of 16777216 × 16777216 pixels"):
        look(bytes(data))


def looked_at_or_refused(data: bytes) -> None:
    try:
        found = look(data)
    except PictureError:
        return
    assert 0 < found.width * found.height <= MAX_PIXELS


STARTS = [b"", PNG, png_of_size(9, 9)[:-12], b"\xff\xd8\xff", b"\xff\xd8" + SOF]
STARTS += [b"RIFF\x10\0\0\0WEBP"]
STARTS += [b"RIFF\0\0\0\0WEBP" + kind for kind in (b"VP8 ", b"VP8L", b"VP8X")]


@given(st.sampled_from(STARTS), st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd9"]))
def test_arbitrary_bytes_raise_nothing_but_picture_errors(start, middle, end):
    looked_at_or_refused(start + middle + end)


@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=6),
    st.integers(0, 2_000),
)
def test_damaged_images_raise_nothing_but_picture_errors(data, changes, cut):
    damaged = bytearray(data)
    for at, value in changes:
        damaged[at % len(damaged)] = value
    looked_at_or_refused(bytes(damaged))
    looked_at_or_refused(bytes(damaged[:cut]))
