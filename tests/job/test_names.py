"""File names: readable, unique by key, and safe for every file system and dataset loader."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.job.names import DEFAULT_PATTERN, image_name, refuse_pattern, safe_part

KEY = "1f3a9c2e"
KNOWN = {"seed", "aspect_ratio", "num_images", "style"}
VALUES = {"seed": 7, "aspect_ratio": "16:9", "negative_prompt": None}
SPLITS = ["train", "training", "validation", "valid", "dev", "val"]
SPLITS += ["test", "testing", "eval", "evaluation"]
LONG = "x" * 300


def name(pattern: str = DEFAULT_PATTERN, prompt_id: str = "espresso", **values: object) -> str:
    return image_name(pattern, prompt_id=prompt_id, key=KEY, index=0, values={**VALUES, **values})


@pytest.mark.parametrize(
    ("prompt_id", "path"),
    [
        ("espresso", "espresso"),
        ("Café crème", "Cafe-creme"),
        ("test", "testx"),
        ("my-train.val_2", "my-trainx.valx_2"),
        ("testament", "testament"),
        ("contest", "contest"),
        ("..", "x"),
        ("../../etc/passwd", "etc-passwd"),
        ("/", "x"),
        ("日本", "x"),
        (".hidden.", "hidden"),
        ("CON", "CONx"),
        ("con.txt", "conx.txt"),
        ("LPT1.a.b", "LPT1x.a.b"),
        ("a\x00b\nc", "a-b-c"),
        ("{key}", "key"),
        (LONG, "x" * 60),
    ],
)
def test_a_prompt_id_becomes_a_folder(prompt_id, path):
    assert name(prompt_id=prompt_id) == f"images/{path}/7_16x9_{KEY}_0"


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{key}_{index}", f"{KEY}_0"),
        ("{style}-{key}_{index}", f"a-b-{KEY}_0"),
        ("{negative_prompt}_{key}_{index}", f"none_{KEY}_0"),
        ("{nothing}/{key}/{index}", f"none/{KEY}/0"),
        ("val/{key}.{index}", f"valx/{KEY}.0"),
        ("{key}_{index} .", f"{KEY}_0"),
    ],
)
def test_a_pattern_is_filled(pattern, path):
    assert name(pattern, style="a  b") == f"images/{path}"


def test_long_values_are_cut_before_the_key_is():
    pattern = "{prompt_id}_" + "{style}_" * 8 + "{key}_{index}"
    found = name(pattern, prompt_id=LONG, style=LONG)
    assert found.endswith(f"_{KEY}_0")
    assert len(found) < 160
    whole = "0123456789abcdef0123"
    values = {"style": LONG}
    assert image_name(pattern, prompt_id=LONG, key=whole, index=12, values=values).endswith(
        f"_{whole}_12"
    )


@pytest.mark.parametrize("pattern", [DEFAULT_PATTERN, "{key}_{index}", "{style}/a b/{index}.{key}"])
def test_good_patterns_are_accepted(pattern):
    assert refuse_pattern(pattern, KNOWN) is None


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "{key}_{index}_{sed}",
            "unknown placeholder {sed}; there are aspect_ratio, index, key, num_images, promp",
        ),
        ("{key}", "expected {key} and {index} in it, so that no two images share a name"),
        ("{index}", "expected {key} and {index} in it, so that no two images share a name"),
        ("../{key}_{index}", "expected a path below the dataset folder, without empty parts, "),
        ("/{key}_{index}", "expected a path below the dataset folder, without empty parts, "),
        ("a//{key}_{index}", "expected a path below the dataset folder, without empty parts, "),
        ("{key}_{index}/", "expected a path below the dataset folder, without empty parts, "),
        ("./{key}_{index}", "expected a path below the dataset folder, without empty parts, "),
        ("{key}_{index}_{seed!r}", "expected letters, digits, '.', '_', '-', '/' and placehol"),
        ("{key}_{index}_{seed.x}", "expected letters, digits, '.', '_', '-', '/' and placehol"),
        ("{key}_{index}_{0}", "expected letters, digits, '.', '_', '-', '/' and placeholders"),
        ("{key}_{index}\n", "expected letters, digits, '.', '_', '-', '/' and placeholders"),
        ("{key}_{index}%s", "expected letters, digits, '.', '_', '-', '/' and placeholders"),
        ("{key}_{index}\\a", "expected letters, digits, '.', '_', '-', '/' and placeholders"),
        ("é{key}_{index}", "expected letters, digits, '.', '_', '-', '/' and placeholders"),
        (f"{'a' * 128}_{{key}}_{{index}}", "expected shorter parts: at most 150 characters bet"),
        ("{seed}" * 17 + "{key}{index}", "expected shorter parts: at most 150 characters between"),
    ],
)
def test_a_wrong_pattern_is_refused(pattern, message):
    refusal = refuse_pattern(pattern, KNOWN)
    assert refusal
    assert refusal.startswith(message)


words = st.sampled_from([*SPLITS, "con", "NUL", ".", "..", "/", "-", "_", " ", "a", "16:9", "é"])
nasty = st.one_of(st.text(max_size=300), st.lists(words, max_size=60).map("".join))
patterns = (
    st.lists(
        st.sampled_from(["{prompt_id}", "{style}", "{seed}", "_", "-", "/", ".", " ", "test", "x"]),
        max_size=14,
    )
    .map(lambda parts: "".join([*parts, "{key}_{index}"]))
    .filter(lambda pattern: refuse_pattern(pattern, KNOWN) is None)
)


@given(pattern=patterns, prompt_id=nasty, style=nasty)
def test_every_name_is_safe(pattern, prompt_id, style):
    found = name(pattern, prompt_id=prompt_id, style=style)
    parts = found.split("/")
    assert re.fullmatch(r"[A-Za-z0-9._/ -]+", found)
    assert all(part.strip(" .") == part and 0 < len(part) <= 240 for part in parts)
    assert not re.search(rf"(?<![^-._ 0-9/])({'|'.join(SPLITS)})(?![^-._ 0-9/])", found)
    assert not any(re.fullmatch(r"(?i)(con|nul)(\..*)?", part) for part in parts)
    assert parts[0] == "images"
    assert found.endswith(f"{KEY}_0")


@given(nasty)
def test_a_safe_part_is_never_empty_and_never_leaves_its_folder(text):
    part = safe_part(text)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,60}", part)
