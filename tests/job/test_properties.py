"""What holds for any job: lengths, keys, places, shards, and what an edit changes."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgen.job.load import load_job
from batchgen.job.source.layers import Layers
from batchgen.job.variants import Variants
from tests.job import golden

WORDS = ["dawn", "dusk", "noon"]
texts = st.sampled_from(["a", "b {light}", "c {light}, {look}", "d {seed}", "{x|y} {light}"])
own = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
        "light": st.sampled_from(WORDS),
        "num_images": st.integers(1, 4),
        "look": st.sampled_from(["ink", ["ink", "oil"]]),
    },
)


@st.composite
def prompts(draw: Any) -> list[dict[str, Any]]:
    found = []
    for number in range(draw(st.integers(1, 4))):
        text = draw(texts)
        wild = {"sample": draw(st.sampled_from([1, 2, "all"]))} if "|" in text else {}
        found.append({"id": f"p{number}", "text": text, **wild, **draw(own)})
    return found


jobs = st.fixed_dictionaries(
    {
        "prompts": prompts(),
        "matrix": st.fixed_dictionaries(
            {
                "seed": st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True),
                "light": st.lists(st.sampled_from(WORDS), min_size=1, unique=True),
                "look": st.just(
                    [
                        {"name": "ink", "params": {"aspect_ratio": "4:3"}},
                        {"name": "oil", "params": {"aspect_ratio": "16:9"}},
                    ]
                ),
            },
            optional={"model": st.just(["google/imagen4", "google/imagen4-fast"])},
        ),
    },
    optional={
        "zip": st.just({"num_images": [1, 2], "negative_prompt": ["", "y"]}),
        "exclude": st.just([{"look": "ink", "seed": "1..4"}]),
        "set": st.just([{"when": {"look": "oil"}, "then": {"negative_prompt": "set"}}]),
        "add": st.just([{"prompt": "p0", "seed": 77, "light": "noon", "look": "ink"}]),
        "repeat": st.integers(2, 3),
        "order": st.sampled_from(["file", "balanced", "shuffle"]),
    },
)
quick = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def variants(job: Mapping[str, Any], folder: Any, **more: Any) -> Variants:
    """Of a job in which every word stands in a text."""
    job = {"name": "k", **job, **more}
    words = {"id": "words", "text": "{light} {x}", "light": "noon", "x": 1, "look": "oil"}
    job["prompts"] = [*job["prompts"], words]
    path = folder / "job.yaml"
    path.write_text(json.dumps(job))
    return load_job(path).variants


def asked(found: Variants) -> dict[str, set[str]]:
    """The keys of each prompt."""
    keys: dict[str, set[str]] = {}
    for variant in found:
        keys.setdefault(variant.prompt_id, set()).add(variant.key)
    return keys


@quick
@given(job=jobs)
def test_length_keys_and_places_agree_and_keys_follow_the_written_rule(job, tmp_path):
    found = variants(job, tmp_path)
    listed = list(found)
    assert len(found) == len(listed) == len({v.key for v in listed})
    assert [found[i] for i in range(len(found))] == listed
    assert list(found.keys()) == [v.key for v in listed]
    for variant in listed:
        content = {"v": 1, "model": variant.model, "request": dict(variant.request)}
        repeat = variant.labels.get("repeat", 0)
        assert variant.key == golden.sha256({**content, "repeat": repeat})[:20]
        assert found.at(variant.index)[0] == variant


@quick
@given(job=jobs, number=st.integers(1, 5))
def test_shards_by_key_divide_a_job_and_stay_when_it_grows(job, number, tmp_path):
    keys = set(variants(job, tmp_path).keys())
    shards = [{key for key in keys if int(key[:8], 16) % number == i} for i in range(number)]
    assert set().union(*shards) == keys
    assert sum(map(len, shards)) == len(keys)
    grown = set(variants({**job, "prompts": [*job["prompts"], {"text": "more"}]}, tmp_path).keys())
    assert keys <= grown


@quick
@given(job=jobs, order=st.sampled_from(["file", "balanced", "shuffle"]), draw=st.randoms())
def test_neither_order_changes_a_key(job, order, draw, tmp_path):
    before = variants(job, tmp_path)
    assert set(variants(job, tmp_path, order=order).keys()) == set(before.keys())
    turned = {**job, "matrix": dict(reversed(job["matrix"].items()))}
    turned["prompts"] = draw.sample(job["prompts"], len(job["prompts"]))
    # Equal requests of two prompts are those of the first: only the whole stays.
    assert set(variants(turned, tmp_path).keys()) == set(before.keys())


@quick
@given(job=jobs, at=st.integers(0, 3))
def test_editing_one_prompt_changes_its_variants_alone(job, at, tmp_path):
    distinct = [{**p, "text": f"{p['text']} of {p['id']}"} for p in job["prompts"]]
    at %= len(distinct)
    edited = [*distinct]
    edited[at] = {**distinct[at], "text": f"another {distinct[at]['text']}"}
    before = asked(variants({**job, "prompts": distinct}, tmp_path))
    after = asked(variants({**job, "prompts": edited}, tmp_path))
    name = distinct[at]["id"]
    assert {p: k for p, k in before.items() if p != name} == {
        p: k for p, k in after.items() if p != name
    }
    assert not before.get(name, set()) & after.get(name, set())


@quick
@given(job=jobs, axis=st.sampled_from(["seed", "light", "look"]))
def test_a_part_that_is_selected_is_a_part_of_the_whole(axis, job, tmp_path):
    whole = list(variants(job, tmp_path))
    values = [{**v.request, **v.labels}.get(axis) for v in whole]
    wanted = next(value for value in values if value is not None)
    part = load_job(tmp_path / "job.yaml", only=[f"{axis}={wanted}"]).variants
    assert {v.key for v in part} <= {v.key for v in whole}
    assert {{**v.request, **v.labels}[axis] for v in part} == {wanted}


def test_the_place_of_a_value_is_found_again(tmp_path):
    (tmp_path / "base.yaml").write_text("matrix: {seed: [1, 2]}\n")
    (tmp_path / "job.yaml").write_text("name: k\nextends: [base.yaml]\nprompts: [a]\n")
    source = load_job(tmp_path / "job.yaml", overrides=["params.num_images=2"]).source
    assert isinstance(source, Layers)
    for path in [("matrix", "seed", 1), ("prompts", 0), ("params", "num_images")]:
        assert source.path_at(source.place(path)) == path
