"""Job files that extend others, and values set on the command line: what holds, and its place."""

import time
from pathlib import Path

import pytest

from batchgen.errors import JobError, UsageError
from batchgen.job.load import Job, load_job
from batchgen.job.source.layers import MAX_FILES

BASE = "matrix: {seed: 1..3, aspect_ratio: [1:1]}\nparams: {num_images: 2}\nprompts: [A cup]\n"
JOB = "name: k\nextends: [base.yaml]\n"
SEED = "expected a whole number from -1 to 2147483647"


def refused(*, overrides: tuple[str, ...] = (), only: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(JobError) as caught:
        load_job("job.yaml", overrides=overrides, only=only)
    return [f"{p.file}:{p.line}:{p.column}: {p.message}" for p in caught.value.problems]


def changed(*overrides: str) -> Job:
    return load_job("job.yaml", overrides=overrides)


def test_mappings_are_merged_key_by_key_and_lists_are_replaced(load):
    job = load(JOB + "matrix: {aspect_ratio: [16:9, 3:4], negative_prompt: [x]}\n", base_yaml=BASE)
    requests = [dict(v.request) for v in job.variants]
    assert len(requests) == 6
    assert requests[0] == {
        "prompt": "A cup",
        "seed": 1,
        "aspect_ratio": "16:9",
        "negative_prompt": "x",
        "num_images": 2,
    }
    assert job.resolved["matrix"] == {
        "seed": "1..3",
        "aspect_ratio": ["16:9", "3:4"],
        "negative_prompt": ["x"],
    }


def test_the_last_of_several_files_holds_and_the_job_above_all(load):
    files = {
        "base_yaml": "extends: [deep.yaml]\nparams: {seed: 2, negative_prompt: base}\n",
        "deep_yaml": "prompts: [a]\nparams: {seed: 1, num_images: 1, aspect_ratio: 1:1}\n",
        "other_yaml": "extends: [deep.yaml]\nparams: {num_images: 3, aspect_ratio: 3:4}\n",
    }
    job = load("name: k\nextends: [base.yaml, other.yaml]\nparams: {aspect_ratio: 16:9}\n", **files)
    assert dict(job.variants[0].request) == {
        "prompt": "a",
        "seed": 1,  # of deep.yaml, which other.yaml brings in again
        "num_images": 3,
        "aspect_ratio": "16:9",
        "negative_prompt": "base",
    }


def test_mistakes_are_told_where_they_were_written(load, tmp_path):
    base = "prompts: [{file: p.txt}]\nmatrix: {seed: [x]}\nruns: 1\n"
    with pytest.raises(JobError) as caught:
        load(JOB + "matrix: {aspect_ratio: [2:1]}\n", base_yaml=base)
    assert [f"{p.file}:{p.line}:{p.column}" for p in caught.value.problems] == [
        "base.yaml:1:18",
        "base.yaml:2:17",
        "base.yaml:3:1",
        "job.yaml:3:25",
    ]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/base.yaml").write_text("prompts: [{file: p.txt}]\noutput: {dir: made}\n")
    (tmp_path / "sub/p.txt").write_text("A cup\n")
    job = load("name: k\nextends: [sub/base.yaml]\n")
    assert [p.text for p in job.prompts] == ["A cup"]
    assert job.folder == Path("sub/made")


def test_word_lists_are_beside_the_file_that_has_the_prompt(load, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/base.yaml").write_text("prompts: [{text: A __fruit__, sample: all}]\n")
    (tmp_path / "sub/fruit.txt").write_text("fig\n")
    job = load("name: k\nextends: [sub/base.yaml]\n", fruit_txt="pear\n")
    assert [v.request["prompt"] for v in job.variants] == ["A fig"]
    # A row of a file of prompts has those of the job file that names it.
    (tmp_path / "sub/p.txt").write_text("A __fruit__\n")
    job = load("name: k\nprompts: [{file: sub/p.txt, sample: all}]\n", fruit_txt="pear\n")
    assert [v.request["prompt"] for v in job.variants] == ["A pear"]


@pytest.mark.parametrize(
    ("extends", "base", "problem"),
    [
        ("[no.yaml]", "", "2:11: expected a job file at no.yaml, but there is no such file"),
        ("[job.yaml]", "", "2:11: job.yaml extends this file in turn"),
        ("base.yaml", "", "2:10: expected a list of files, got the text 'base.yaml'"),
        ("[7]", "", "2:11: expected a file, got the number 7"),
        ("[base.yaml]", "- a\n", "expected a mapping with keys of a job file, got a list"),
        ("[base.yaml]", "extends: [job.yaml]", "job.yaml extends this file in turn"),
        ("[base.yaml]", "a: [\n", "2:1: expected valid YAML: "),
        (f"[{', '.join(['base.yaml'] * (MAX_FILES + 1))}]", "a: 1\n", "expected at most 20 files"),
    ],
)
def test_what_cannot_be_extended_is_refused(refusals, extends, base, problem):
    (found,) = refusals(f"name: k\nextends: {extends}\nprompts: [a]\n", base_yaml=base)
    assert problem in found


def test_values_set_on_the_command_line_replace_those_of_the_file(load, monkeypatch, tmp_path):
    load(JOB, base_yaml=BASE)
    job = changed(
        "matrix.seed=5..6", "params.negative_prompt='a: b'", "prompts.0=A {x}", "vars.x=1"
    )
    assert [dict(v.request) for v in job.variants] == [
        {
            "prompt": "A 1",
            "seed": seed,
            "aspect_ratio": "1:1",
            "num_images": 2,
            "negative_prompt": "a: b",
        }
        for seed in (5, 6)
    ]
    assert job.resolved["matrix"] == {"seed": "5..6", "aspect_ratio": ["1:1"]}
    assert changed("output.dir=there").folder == Path("there")
    # A path on the command line is one of the folder that it is written in.
    monkeypatch.chdir(tmp_path.parent)
    (tmp_path.parent / "mine.txt").write_text("A pear\n")
    job = load_job(tmp_path / "job.yaml", overrides=["prompts=[{file: mine.txt}]"])
    assert [p.text for p in job.prompts] == ["A pear"]


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("matrix.seed=[1, x]", f"1:17: {SEED}, got the text 'x'"),
        ("run.bugdet=3", "1:12: unknown key 'bugdet'; did you mean 'budget'?"),
        ("a.b.c=1", "1:1: unknown key 'a'"),
        ("matrix.sed=[1]", "has no parameter 'sed'; did you mean 'seed'?"),
        ("prompts.3=a", "1:1: expected an index below 1 in prompts.3, got '3'"),
        ("prompts.x=a", "1:1: expected an index below 1 in prompts.x, got 'x'"),
        ("matrix.seed.x=5", "1:1: matrix.seed is the text '1..3'; it has no 'x'"),
        ("extends=[a.yaml]", "1:1: extends cannot be set here; it stands in the file"),
        ("matrix.seed={a: b", "1:18: expected valid YAML: "),
        ("params.seed=", "expected a whole number from -1 to 2147483647, got nothing"),
    ],
)
def test_a_wrong_override_is_shown_at_its_place(load, override, problem):
    load(JOB, base_yaml=BASE)
    (found,) = refused(overrides=(override,))
    assert found.startswith("--set:")
    assert problem in found
    with pytest.raises(JobError) as caught:
        changed(override)
    assert str(caught.value).splitlines()[1] == f"    {override}"


@pytest.mark.parametrize("text", ["seed", "", "=3"])
def test_an_option_without_a_path_and_a_value_is_refused(load, text):
    load(JOB, base_yaml=BASE)
    with pytest.raises(UsageError, match=r"expected --set path=value, such as matrix\.seed=0\.\.7"):
        load_job("job.yaml", overrides=[text])
    with pytest.raises(UsageError, match=r"expected --only name=value, such as seed=3, got"):
        load_job("job.yaml", only=[text])


def only(*texts: str) -> list[tuple[str, object, object]]:
    variants = load_job("job.yaml", only=texts).variants
    return [(v.prompt_id, v.request["seed"], v.labels.get("look")) for v in variants]


WIDE = (
    "name: k\nprompts: [{id: a, text: a}, {id: b, text: b}]\n"
    "matrix: {seed: 1..5, look: [{name: ink, negative_prompt: oil}, {name: oil}]}\n"
    "add: [{prompt: a, seed: 9, look: ink}]\n"
)


def test_only_leaves_the_variants_that_have_the_values(load):
    whole = {v.key for v in load(WIDE).variants}
    assert only("seed=2..3", "look=ink", "prompt=b") == [("b", 2, "ink"), ("b", 3, "ink")]
    assert only("seed=1", "seed=4..5", "look=oil", "prompt=a") == [
        ("a", seed, "oil") for seed in (1, 4, 5)
    ]
    assert only("seed=9") == [("a", 9, "ink")]
    assert only("look=[ink, oil]", "prompt=[a]", "seed=1") == [("a", 1, "ink"), ("a", 1, "oil")]
    assert {v.key for v in load_job("job.yaml", only=["look=ink"]).variants} < whole


def test_a_prompt_that_does_not_use_a_word_has_no_variant_of_its_values(load):
    text = "name: k\nprompts: [{id: a, text: 'a {light}'}, b]\nmatrix: {light: [dawn, dusk]}\n"
    assert len(load(text).variants) == 3
    (variant,) = load_job("job.yaml", only=["light=dawn"]).variants
    assert variant.request["prompt"] == "a dawn"


@pytest.mark.parametrize("light", ["dawn", "noon"])
def test_values_of_a_prompt_are_known_beside_those_of_what_is_added_to_it(load, light):
    text = "name: k\nprompts: [{id: a, text: 'a {light}', light: dawn}]\n"
    text += "matrix: {light: [dusk]}\nadd: [{prompt: a, light: noon}]\n"
    assert len(load(text).variants) == 2
    (variant,) = load_job("job.yaml", only=[f"light={light}"]).variants
    assert variant.request["prompt"] == f"a {light}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sed=1", "1:5: no variant has a 'sed'; did you mean 'seed'?"),
        ("look=Ink", "1:6: no look is the text 'Ink'; did you mean 'ink'?"),
        ("prompt=c", "1:8: no prompt is the text 'c'; it may be a, b"),
        ("seed=x", f"1:6: {SEED}, got the text 'x'"),
        ("seed=77", "1:6: expected at least one variant with these values, got none"),
    ],
)
def test_a_selection_that_selects_nothing_is_refused(load, text, problem):
    load(WIDE)
    assert refused(only=(text,)) == [f"--only:{problem}"]


def test_many_words_over_those_of_another_file_take_no_time_that_grows_with_their_square(load):
    mine, others = (
        ", ".join(f"{letter}{number}: x" for number in range(16_000)) for letter in "ab"
    )
    began = time.process_time()
    job = load(f"{JOB}vars: {{{mine}}}\n", base_yaml=f"prompts: [A cup]\nvars: {{{others}}}\n")
    assert time.process_time() - began < 6  # seconds; one by one they took 10
    assert job.source.place(("vars", "a1"), of_key=True).file == "job.yaml"


def test_values_that_are_selected_by_several_options_are_never_fewer_than_asked_for(load):
    load("name: k\nprompts: [a]\nmatrix: {seed: 0..300000}\nrun: {max_variants: 1000000}\n")
    assert len(load_job("job.yaml", only=("seed=0..200000",)).variants) == 200_001
    wrong = "expected at most 100,000 values of seed from several --only; one range may have more"
    assert refused(only=("seed=0..200000", "seed=300000")) == [f"--only:1:6: {wrong}"]
