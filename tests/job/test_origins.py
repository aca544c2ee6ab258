"""Where the values of a variant came from, and how ``plan --explain`` shows it."""

import pytest

from batchgen.cli.origins import print_origins
from batchgen.errors import UsageError
from batchgen.job.load import load_job
from batchgen.job.origins import origins

JOB = """\
name: k
extends: [base.yaml]
prompts:
  - {id: cup, text: "A {size} cup in {light}, {style}"}
  - {file: p.csv}
  - {id: many, text: "{x|y}", sample: 2, negative_prompt: people}
matrix:
  light: [dawn, dusk]
  look:
    - {name: ink, style: ink wash, params: {aspect_ratio: 3:4}}
vars: {size: small}
set: [{when: {prompt: cup, light: dusk}, then: {num_images: 2}}]
add: [{prompt: cup, seed: 9, light: noon, look: ink}]
repeat: 2
"""
BASE = "params: {num_images: 1}\nmatrix: {seed: [1, 2]}\n"
TABLE = "id,text,seed\nrow,A row,7\n"


def told(position: int, *overrides: str) -> list[str]:
    _, found = origins(load_job("job.yaml", overrides=overrides), position)
    places = [f"{o.place.file}:{o.place.line}:{o.place.column}" if o.place else "-" for o in found]
    return [
        f"{'' if o.sent else '('}{o.name}={o.value}: {where} {o.why}"
        for o, where in zip(found, places, strict=True)
    ]


@pytest.fixture(autouse=True)
def files(load):
    load(JOB, base_yaml=BASE, p_csv=TABLE)


def test_every_value_has_its_place():
    variants = load_job("job.yaml").variants
    dusk = next(v.index for v in variants if v.labels.get("light") == "dusk")
    assert told(dusk) == [
        "model=wavespeed-ai/imagen4: - the default",
        "prompt=A small cup in dusk, ink wash: job.yaml:4:21 prompts.0.text",
        "seed=1: base.yaml:2:10 matrix.seed",
        "num_images=2: job.yaml:12:48 set.0.then",
        "aspect_ratio=3:4: job.yaml:10:7 matrix.look.0",
        "(size=small: job.yaml:11:8 vars.size",
        "(light=dusk: job.yaml:8:3 matrix.light",
        "(style=ink wash: job.yaml:10:7 matrix.look.0",
        "(look=ink: job.yaml:10:7 matrix.look.0",
        "(repeat=0: job.yaml:14:1 repeat, 2 times",
    ]


def test_rows_of_files_drawn_texts_and_added_variants_have_theirs():
    variants = load_job("job.yaml").variants
    at = {v.prompt_id: v.index for v in variants}  # the last of each
    assert told(at["row"])[1:3] == [
        "prompt=A row: p.csv:2:1 a row of the file",
        "seed=7: p.csv:2:1 a row of the file",
    ]
    many = told(at["many"])
    assert many[1].endswith(": job.yaml:6:22 prompts.2.text, 2 texts of it")
    assert "negative_prompt=people: job.yaml:6:42 prompts.2.negative_prompt" in many
    assert not any("light" in line for line in many)  # which its text does not use
    added = told(at["cup"])
    assert "seed=9: job.yaml:13:21 add.0.seed" in added
    assert "(light=noon: job.yaml:13:30 add.0.light" in added
    assert "num_images=1: base.yaml:1:10 params.num_images" in added


def test_what_was_set_on_the_command_line_is_shown_there():
    found = told(0, "matrix.seed=[-1]", "model=google/imagen4")
    assert found[0] == "model=google/imagen4: --set:1:7 model"
    assert any(line.endswith(": --set:1:13 matrix.seed") for line in found)
    assert "(resolution=1k: - the model's default" in found


def test_a_seed_that_nobody_gave_is_drawn(load):
    load("name: k\nprompts: [a]\n")
    _, found = origins(load_job("job.yaml"), 0)
    assert [(o.name, o.why) for o in found if o.name == "seed"] == [
        ("seed", "drawn from the content of the variant")
    ]


def test_it_is_printed_by_index_or_key(load, capsys):
    job = load("name: k\nprompts: [{id: a, text: %s}]\nparams: {seed: 1}\n" % ("a" * 90))
    key = job.variants[0].key
    for wanted in ("0", key, key[:8].upper()):
        print_origins(job, wanted)
        assert capsys.readouterr().out == (
            f"variant 0 of 1, {key}\nimages/a/1_1x1_{key[:8]}_0.png\n\nsent\n"
            f"  model   wavespeed-ai/imagen4{' ' * 19}  -              the default\n"
            f"  prompt  {'a' * 38}…  job.yaml:2:25  prompts.0.text\n"
            f"  seed    1{' ' * 38}  job.yaml:3:10  params.seed\n\nnot sent\n"
            "  aspect_ratio  1:1  -  the model's default\n"
            "  num_images    1    -  the model's default\n"
        )
    for wanted in ("1", "zz", key[:5], "", "9" * 5_000):
        with pytest.raises(UsageError, match="expected an index from 0 to 0, or a key or 6 digits"):
            print_origins(job, wanted)
