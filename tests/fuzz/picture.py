"""Coverage-guided fuzzing of the look at an image's bytes.

Needs atheris, which the project does not depend on::

    pip install atheris
    python -m tests.fuzz.picture -max_total_time=600 [folder of images]
"""

import sys

import atheris

with atheris.instrument_imports(include=["batchgen"]):
    from batchgen.dataset.files.picture import MAX_PIXELS, PictureError, look_at

ENDINGS = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}


def one_input(data: bytes) -> None:
    """Look at *data*: a picture of a sensible size, or a PictureError."""
    try:
        found = look_at(memoryview(data))
    except PictureError:
        return
    assert 0 < found.width * found.height <= MAX_PIXELS
    assert ENDINGS[found.media_type] == found.ending


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
