"""Whatever a job file holds, it is a job whose every image has a safe name, or plainly refused."""

import re
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgen.errors import JobError, UsageError
from batchgen.job.load import load_job
from batchgen.job.names import image_name, refuse_pattern, safe_part
from batchgen.job.source.document import MAX_DEPTH, parse_document

EXAMPLES = sorted((Path(__file__).parents[2] / "jobs").glob("*.yaml"))
WHOLE = """\
name: fruit
prompts:
  - a pear
  - {id: plum, text: "a plum, ripe", negative_prompt: [people, cars]}
  - text: a fig
    seed: 7
matrix:
  aspect_ratio: ["1:1", "16:9"]
  seed: 1..3
params: {num_images: 2}
output: {dir: out/x, file_name: "{prompt_id}/{seed}_{key}_{index}"}
run: {concurrency: 4, budget: 1.5, max_duration: 2h, max_failures: 10%, poll: {min_interval: 2}}
"""
DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
quiet = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

odd = st.sampled_from(
    [
        *["*a", "&a ", "!!python/object ", "<<: ", "{", "}", "[", "]", ": ", "- ", "? ", "|", ">"],
        *["'", '"', "\\", "\n", "\t", "  ", "#", "---\n", "...\n", "%YAML 9.9\n", "@", "`", ","],
        *["null", "~", "true", ".nan", "1e999", "-1", "0", "9" * 30, "1..9", "1..999999999", "10%"],
        *["{seed}", "{key}", "../..", "/dev/zero", "\x00", "\x1b", "\u202e", "\ufeff", "\x85", "é"],
        *["name", "prompts", "matrix", "seed", "file", "num_images", "budget", "inf", "2h", "-5s"],
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good job file with a few holes, repetitions and odd pieces."""
    text = draw(st.sampled_from([WHOLE, *(path.read_text("utf-8") for path in EXAMPLES)]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(-30, 30))
        text = text[:start] + draw(odd | st.just("")) + text[max(0, end) :]
    return text


texts = st.text() | st.lists(odd, max_size=30).map("".join) | mutated()


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0


@quiet
@given(texts)
def test_any_text_is_plain_values_or_refused_at_places_that_it_has(text):
    try:
        found = parse_document(text, file="j")
    except JobError as error:
        lines = re.split(r"\r\n|\r|\n", text)
        for problem in error.problems:
            assert 1 <= problem.line <= len(lines)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
            assert problem.message
        return
    assert depth(found.value) <= MAX_DEPTH


def check(path: Path) -> None:
    """The job at *path* can be planned, or the refusal is one that a person can read."""
    try:
        job = load_job(path)
    except UsageError as error:
        refusal = str(error)
    else:
        assert 0 < len(job.variants) <= job.image_count()
        for variant in islice(job.variants, 10):
            assert isinstance(variant.request["prompt"], str)
            assert job.image_name(variant, 0).startswith("images/")
        return
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", refusal)


def test_the_job_that_is_mutated_is_a_good_one(tmp_path):
    (tmp_path / "job.yaml").write_text(WHOLE, "utf-8")
    assert len(load_job(tmp_path / "job.yaml").variants) > 1


@quiet
@given(text=texts)
def test_any_job_file_is_a_job_or_refused(tmp_path, text):
    # Half of a surrogate pair cannot be in a file, but bytes like it can.
    (tmp_path / "job.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    check(tmp_path / "job.yaml")


@quiet
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_a_job_or_refused(tmp_path, raw):
    (tmp_path / "job.yaml").write_bytes(raw)
    check(tmp_path / "job.yaml")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@settings(max_examples=20, deadline=None)
@given(cut=st.floats(0, 1))
def test_a_cut_example_is_a_job_or_refused(path, cut, tmp_path_factory):
    text = path.read_text("utf-8")
    copy = tmp_path_factory.getbasetemp() / f"{path.stem}-cut.yaml"
    copy.write_text(text[: int(cut * len(text))], "utf-8")
    check(copy)


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
words = st.sampled_from(
    ["con", "NUL.", "com1", "..", "/", "\\", "\x00", "~", "train", "é", " ", "."]
)
anything = values | st.lists(words, max_size=40).map("".join) | st.lists(values, max_size=3)
patterns = (
    st.lists(
        st.sampled_from(["{prompt_id}", "{style}", "{seed}", "{x}", "/", ".", " ", "con", "test"]),
        max_size=16,
    )
    .map(lambda parts: "".join([*parts, "{key}_{index}"]))
    .filter(lambda pattern: refuse_pattern(pattern, {"style", "seed", "x"}) is None)
)


@quiet
@given(patterns, anything.map(str), st.text("0123456789abcdef", min_size=8, max_size=20), anything)
def test_any_values_make_a_safe_name(pattern, prompt_id, key, value):
    given_values = {"style": value, "seed": value}
    name = image_name(pattern, prompt_id=prompt_id, key=key, index=11, values=given_values)
    first, *parts = name.split("/")
    assert (first, bool(parts)) == ("images", True)
    for part in parts:
        assert re.fullmatch(r"[A-Za-z0-9._ -]+", part)
        # The ending, and the number of a part that is being written, come on top.
        assert len(part) <= 255 - 20
        assert part.strip(" .") == part
        assert not DEVICE.fullmatch(part)
    assert key in name


@quiet
@given(st.text(st.characters()))
def test_any_text_is_a_safe_part(text):
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,60}", safe_part(text))
