"""Expansion: precedence, drawn seeds, and a lazy sequence that equals the plain product."""

import random
import tracemalloc
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.job.expansion.distinct import distinct_boxes
from batchgen.job.expansion.expand import Expander
from batchgen.job.source.files import Place
from batchgen.job.texts.prompt import Prompt
from batchgen.job.values.axes import Values
from batchgen.job.values.sweep import Axis, Sweep
from batchgen.job.variants import Variants
from tests.job import golden

PLACE = Place(file="j", line=1, column=1)
Axes = Mapping[str, Sequence[object]]
Params = Mapping[str, object]
Prompts = Sequence[tuple[str, Axes]]


def plan(prompts: Prompts, axes: Axes | None = None, params: Params | None = None) -> Variants:
    """The variants of ``(text, values of its own)`` prompts."""
    made = [
        Prompt(
            id=f"p{number}",
            text=text,
            values={name: Values(tuple(v)) for name, v in own.items()},
            place=PLACE,
        )
        for number, (text, own) in enumerate(prompts)
    ]
    spread = {
        name: Values(v if isinstance(v, range) else tuple(v)) for name, v in (axes or {}).items()
    }
    sweep = Sweep(
        model=golden.IMAGEN,
        axes=tuple(Axis(name=name, values=v, place=PLACE) for name, v in spread.items()),
        params=params or {},
        words={},
        unsent=frozenset({"model"}),
    )
    expander = Expander(sweep=sweep, refuse=lambda _, message: pytest.fail(message))
    boxes = [box for prompt in made for box in expander.boxes(prompt)]
    return Variants(distinct_boxes(boxes))


def brute(prompts: Prompts, axes: Axes, params: Params) -> set[str]:
    """The keys of the same, by nested loops and the written rule."""
    keys = set()
    for text, own in prompts:
        values = {**{name: [value] for name, value in params.items()}, **axes, **own}
        values.setdefault("seed", [-1])
        for chosen in product(*values.values()):
            request = {"prompt": text, **dict(zip(values, chosen, strict=True))}
            if request["seed"] == -1:
                request["seed"] = golden.seed(request)
            keys.add(golden.key(request))
    return keys


def test_the_specific_beats_the_general(load):
    job = load(
        "name: k\n"
        "prompts: [a, {id: b, text: b, seed: 5}, {id: c, text: c, aspect_ratio: [3:4, 4:3]}]\n"
        "matrix: {seed: [1, 2], num_images: [3]}\n"
        'params: {seed: 9, num_images: 1, negative_prompt: ""}\n'
    )
    rest = {"num_images": 3, "negative_prompt": ""}
    assert [dict(v.request) for v in job.variants] == [
        {"prompt": "a", "seed": 1, **rest},
        {"prompt": "a", "seed": 2, **rest},
        {"prompt": "b", "seed": 5, **rest},
        {"prompt": "c", "seed": 1, "aspect_ratio": "3:4", **rest},
        {"prompt": "c", "seed": 1, "aspect_ratio": "4:3", **rest},
        {"prompt": "c", "seed": 2, "aspect_ratio": "3:4", **rest},
        {"prompt": "c", "seed": 2, "aspect_ratio": "4:3", **rest},
    ]


def test_what_is_set_is_sent_and_what_is_not_is_left_out(load):
    job = load('name: k\nprompts: [{text: a, negative_prompt: "", seed: 1}, {text: b, seed: 1}]\n')
    assert [dict(v.request) for v in job.variants] == [
        {"prompt": "a", "negative_prompt": "", "seed": 1},
        {"prompt": "b", "seed": 1},
    ]


@pytest.mark.parametrize("params", [{}, {"seed": -1}])
def test_a_seed_that_is_missing_or_minus_one_is_drawn_of_the_content(params):
    (variant,) = plan([("A cup", {})], params=params)
    assert variant.request["seed"] == 1911708542 == golden.seed({"prompt": "A cup"})
    assert variant.key == "37544d04758dfeb912ff"


def test_a_drawn_seed_stays_whatever_happens_to_the_other_prompts():
    before = {v.request["prompt"]: v.request["seed"] for v in plan([("a", {}), ("b", {})])}
    after = {
        v.request["prompt"]: v.request["seed"] for v in plan([("c", {}), ("b", {}), ("a", {})])
    }
    assert before.items() <= after.items()
    assert len(set(after.values())) == 3
    assert all(seed in range(2**31) for seed in after.values())


def test_a_drawn_seed_differs_with_the_other_parameters():
    found = plan([("a", {})], axes={"aspect_ratio": ["1:1", "16:9"], "num_images": [1, 2]})
    assert len({v.request["seed"] for v in found}) == 4


def test_a_drawn_seed_that_is_also_asked_for_by_name_is_made_once():
    drawn = golden.seed({"prompt": "A cup"})
    assert len(plan([("A cup", {"seed": [-1, drawn]})])) == 1
    assert len(plan([("A cup", {}), ("A cup", {"seed": [drawn]})])) == 1
    found = plan([("A cup", {})], axes={"seed": [-1, drawn, 3], "num_images": [1, 2]})
    assert len(found) == len({v.key for v in found}) == 6


def test_no_seed_is_added_for_a_model_that_is_not_known(load):
    job = load("name: k\nmodel: acme/paint\nprompts: [a]\n")
    assert dict(job.variants[0].request) == {"prompt": "a"}


def test_the_request_of_a_variant_cannot_be_changed():
    request: Any = plan([("a", {})])[0].request
    with pytest.raises(TypeError):
        request["seed"] = 1


def test_the_key_says_nothing_of_names_paths_or_order(load):
    one = load("name: k\nprompts: [{id: x, text: a}]\nparams: {num_images: 2, seed: 1}\n")
    other = load(
        "name: l\nservice: local\nprompts: [{id: y, text: a, seed: 1}]\n"
        "matrix: {num_images: [2]}\noutput: {dir: elsewhere}\nrun: {rate: 3}\n"
    )
    assert one.variants[0].key == other.variants[0].key
    assert one.variants[0].key == golden.key({"prompt": "a", "num_images": 2, "seed": 1})


def test_what_is_asked_for_is_told_by_model_and_parameter():
    found = plan([("a", {}), ("b", {}), ("c", {"seed": [7]})], axes={"num_images": [1, 2]})
    told = {(model, name, tuple(own)) for model, name, own in found.asked()}
    assert {one for one in told if one[1] != "seed"} == {
        (golden.IMAGEN, "prompt", ("a", "b")),
        (golden.IMAGEN, "prompt", ("c",)),
        (golden.IMAGEN, "num_images", (1, 2)),
    }
    assert (golden.IMAGEN, "seed", (7,)) in told


def test_a_fingerprint_tells_plans_apart_without_expanding_them():
    axes = {"seed": range(2_000_000_000)}
    assert plan([("a", {})], axes).fingerprint() == plan([("a", {})], axes).fingerprint()
    others = [
        plan([("b", {})], axes),
        plan([("a", {})], {"seed": range(1_999_999_999)}),
        plan([("a", {"num_images": [2]})], axes),
    ]
    assert len({p.fingerprint() for p in (plan([("a", {})], axes), *others)}) == 4
    few = [range(3, 7), range(4, 7), range(3, 8), [3, 7], [3, 4]]
    assert len({plan([("a", {})], {"seed": seeds}).fingerprint() for seeds in few}) == 5


seeds = st.sampled_from([-1, 1, 2, 3, golden.seed({"prompt": "a"}), golden.seed({"prompt": "b"})])
values = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.lists(seeds, min_size=1, max_size=4, unique=True),
        "num_images": st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True),
        "aspect_ratio": st.lists(st.sampled_from(["1:1", "16:9"]), min_size=1, unique=True),
    },
)
prompt_lists = st.lists(st.tuples(st.sampled_from("ab"), values), max_size=5)
fixed = st.fixed_dictionaries({}, optional={"negative_prompt": st.just(""), "seed": seeds})


@given(prompts=prompt_lists, axes=values, params=fixed)
def test_the_variants_are_the_distinct_requests(prompts, axes, params):
    found = plan(prompts, axes, params)
    listed = list(found)
    assert len(found) == len(listed) == len({v.key for v in listed})
    assert {v.key for v in listed} == brute(prompts, axes, params)
    assert list(found.keys()) == [v.key for v in listed]
    assert all(v.key == golden.key(v.request) for v in listed)


@given(prompts=prompt_lists, axes=values, params=fixed)
def test_variants_are_tallied_by_what_they_ask_for(prompts, axes, params):
    found, names = plan(prompts, axes, params), ("num_images", "aspect_ratio")
    for part in (found, found[:3], found[1:]):
        assert part.tally(*names) == Counter(tuple(map(v.request.get, names)) for v in part)
    assert set(found.tally("model")) == {(v.model,) for v in found}


@given(prompts=prompt_lists, axes=values, params=fixed, order=st.randoms(use_true_random=False))
def test_order_never_changes_a_key(prompts, axes, params, order):
    shuffled = order.sample(prompts, len(prompts))
    turned = dict(reversed(axes.items()))
    assert {v.key for v in plan(prompts, axes, params)} == {
        v.key for v in plan(shuffled, turned, params)
    }


@given(
    prompts=prompt_lists,
    axes=values,
    cut=st.slices(30),
    again=st.slices(10),
)
def test_the_sequence_is_indexed_and_sliced_like_a_list(prompts, axes, cut, again):
    found = plan(prompts, axes)
    listed = list(found)
    assert [found[i] for i in range(len(found))] == listed
    assert [found[i - len(listed)] for i in range(len(listed))] == listed
    assert [v.index for v in found] == list(range(len(found)))
    assert list(found[cut]) == listed[cut]
    assert list(found[cut].keys()) == [v.key for v in listed[cut]]
    assert list(found[cut][again]) == listed[cut][again]
    assert len(found[cut]) == len(listed[cut])
    assert list(reversed(found)) == listed[::-1]
    for wrong in (len(listed), -len(listed) - 1):
        with pytest.raises(IndexError):
            found[wrong]


@pytest.mark.parametrize("width", [2, 100])
def test_many_overlapping_ranges_of_one_text_collapse(width):
    prompts = [("a", {"seed": range(i, i + width)}) for i in range(0, 300, width // 2)]
    assert len(plan(prompts)) == len({s for _, own in prompts for s in own["seed"]})


def test_a_large_range_and_single_seeds_of_one_text_collapse_in_any_order():
    prompts: Prompts = [
        ("a", {"seed": range(100)}),
        ("a", {"seed": [5, 200]}),
        ("a", {"seed": range(99, 300)}),
    ]
    for turned in (prompts, prompts[::-1]):
        found = plan(turned)
        assert len(found) == len({v.key for v in found}) == 300


def test_five_thousand_prompts_of_one_text_are_told_apart_quickly():
    found = plan([("a", {"seed": [2 * i, 2 * i + 1]}) for i in range(5_000)])
    assert len(found) == 10_000


def test_a_million_variants_take_no_memory():
    found = plan([(f"prompt {i}", {}) for i in range(10)], axes={"seed": range(100_000)})
    picks = random.Random(1).sample(range(1_000_000), 1_000)
    tracemalloc.start()
    assert len(found) == 1_000_000
    assert len({found[i].key for i in picks}) == 1_000
    assert sum(1 for _ in found[:1_000]) == 1_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_million_variants_are_planned_in_flat_memory(load, tmp_path):
    tracemalloc.start()
    job = load(
        "name: k\nprompts: [a, b]\nmatrix: {seed: 0..499999}\nrun: {max_variants: 1000000}\n"
    )
    assert job.variants[999_999].request["seed"] == 499_999
    current, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(job.variants) == 1_000_000
    assert current < 5_000_000


@pytest.mark.parametrize("order", ["file", "balanced", "shuffle"])
def test_a_million_variants_with_every_feature_are_planned_in_flat_memory(load, order):
    text = """\
name: k
prompts:
  - {{id: cup, text: "A {{red|blue}} cup in {{light}}, {{style}}", sample: all}}
  - {{id: box, text: "A box, {{style}}", look: oil}}
matrix:
  look:
    - {{name: ink, style: ink wash, params: {{negative_prompt: photo}}}}
    - {{name: oil, style: oil paint}}
  light: [dawn, dusk]
  seed: 1..{seeds}
zip: {{model: [google/imagen4, google/imagen4-ultra], resolution: [1k, 2k]}}
exclude: [{{look: ink, seed: 1..9, light: dusk}}]
set: [{{when: {{look: oil, seed: 5}}, then: {{num_images: 2}}}}]
add: [{{prompt: cup, look: ink, light: noon, seed: "0..9"}}]
vars: {{size: big}}
repeat: 2
order: {order}
run: {{max_variants: 2000000}}
"""
    peaks, sizes = [], []
    for seeds in (100, 28_000):
        tracemalloc.start()
        job = load(text.format(seeds=seeds, order=order))
        assert len({job.variants[i].key for i in range(0, len(job.variants), 2_000)}) > 1
        assert len(job.variants.fingerprint()) == 64
        peaks.append(tracemalloc.get_traced_memory()[1])
        sizes.append(len(job.variants))
        tracemalloc.stop()
    assert sizes[1] > 1_000_000
    assert peaks[1] < peaks[0] + 1_000_000
