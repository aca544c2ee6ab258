"""Coverage-guided fuzzing of the names of image files.

Needs atheris, which the project does not depend on::

    pip install atheris
    python -m tests.fuzz.names -max_total_time=600
"""

import re
import sys

import atheris

with atheris.instrument_imports(include=["batchgen"]):
    from batchgen.job.names import DEFAULT_PATTERN, image_name, refuse_pattern

SAFE = re.compile(r"[A-Za-z0-9._/ -]+")
DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
PIECES = ["{key}", "{index}", "{key}_{index}", "{prompt_id}", "{seed}", "{style}", "{aspect_ratio}"]
PIECES += ["/", ".", "..", "-", "_", " ", "con", "NUL.", "train", "test", "x" * 40, "é", "\\", "%s"]
KNOWN = {"seed", "style", "aspect_ratio"}


def one_input(data: bytes) -> None:
    """Name an image by values and a pattern made of *data*."""
    given = atheris.FuzzedDataProvider(data)
    count = given.ConsumeIntInRange(0, 16)
    pattern = "".join(given.PickValueInList(PIECES) for _ in range(count)) or DEFAULT_PATTERN
    if refuse_pattern(pattern, KNOWN) is not None:
        return
    values = {"seed": given.ConsumeInt(9), "style": given.ConsumeUnicode(200), "aspect_ratio": None}
    prompt_id = given.ConsumeUnicode(200)
    name = image_name(pattern, prompt_id=prompt_id, key="1f3a9c2e", index=3, values=values)
    first, *parts = name.split("/")
    assert first == "images"
    assert SAFE.fullmatch(name)
    assert parts
    for part in parts:
        assert 0 < len(part) <= 240
        assert part not in {".", ".."}
        assert part.strip(" .") == part
        assert not DEVICE.fullmatch(part)
    assert "1f3a9c2e" in name


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
