"""The order of variants: as written, at random, or so that any beginning is a fair sample."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgen.job.expansion.boxes import Box, Grid
from batchgen.job.load import Job
from batchgen.job.order import balance
from batchgen.job.order.balance import balanced
from batchgen.job.order.shuffle import Shuffled
from batchgen.job.source.files import Place
from batchgen.job.texts.prompt import Prompt
from batchgen.job.values.axes import Values

JOB = "name: k\norder: balanced\n"
RATIOS = "aspect_ratio: [1:1, 16:9, 3:4]"
PRODUCTS = {
    "one axis": "prompts: [a]\nmatrix: {seed: 1..50}\n",
    "sizes with common factors": "prompts: [a, b, c, d, e, f]\n"
    f"matrix: {{seed: 1..8, {RATIOS}, num_images: 1..4}}\n",
    "more prompts than seeds": f"prompts: [{', '.join(f'p{n}' for n in range(40))}]\n"
    "matrix: {seed: 1..6, aspect_ratio: [1:1, 16:9]}\n",
    "linked values, words in texts, models, repeats": "prompts: ['a {light}', 'b {light}']\n"
    "matrix: {look: [{name: x, negative_prompt: p}, {name: y, negative_prompt: q}, {name: z}], "
    "light: [d, e, f, g], seed: 1..4, model: [google/imagen4, google/imagen4-fast]}\nrepeat: 2\n",
    "seeds in the text": "prompts: ['a {seed}', 'b {seed}', 'c {seed}']\n"
    f"matrix: {{seed: 1..8, {RATIOS}}}\n",
    "texts that are drawn": "prompts: [{id: a, text: '{x|y|z|q} {1|2|3}', sample: 6}, "
    "{id: b, text: '{x|y|z|q} {4|5|6}', sample: 6}]\nmatrix: {seed: 1..4}\n",
    "some prompts with more texts": "prompts: ["
    "{id: a, text: '{x|y|z|q} {1|2|3}', sample: 1}, {id: b, text: '{x|y|z|q} {4|5|6}', sample: 2}, "
    "{id: c, text: '{x|y|z|q} {7|8|9}', sample: 8}]\n",
    "zip": "prompts: [a, b, c]\nzip: {seed: 1..5, num_images: [1, 2, 3, 4, 1]}\n"
    "matrix: {negative_prompt: [x, y]}\n",
}
OTHERS = {
    "a word in some texts": "prompts: ['a {light}', b, 'c {light}', d]\n"
    "matrix: {light: [d, e, f], seed: 1..8, aspect_ratio: [1:1, 16:9]}\n",
    "a prompt with seeds of its own": "prompts: [a, b, {text: c, seed: 50..56}]\n"
    f"matrix: {{seed: 1..8, {RATIOS}}}\n",
    "some left out": f"prompts: [a, b, c]\nmatrix: {{seed: 1..8, {RATIOS}}}\n"
    "exclude: [{seed: 1..3, aspect_ratio: 16:9}]\n",
    "a seed left out of two ratios": f"prompts: [a, b, c, d, e]\nmatrix: {{seed: 1..9, {RATIOS}}}\n"
    "exclude: [{aspect_ratio: '3:4', seed: 3}, {aspect_ratio: '1:1', seed: 1}]\n",
    "looks and lights left out": "prompts: ['a {light}', 'b {light}']\nmatrix: {look: "
    f"[{', '.join(f'{{name: l{n}, negative_prompt: p{n}}}' for n in range(6))}], "
    "light: [p, q, r, s, t], seed: 1..3}\n"
    "exclude: [{look: l3, light: q}, {look: l1, light: s}, {look: l0, light: s}]\n",
    "looks left out": "prompts: [a, b]\nmatrix: {look: [{name: x}, {name: y}, {name: z}], "
    f"{RATIOS}, light: [p, q], seed: 1..4}}\nvars: {{light: p}}\n"
    "exclude: [{look: x, aspect_ratio: 1:1}, {look: y, light: q}]\n",
}


SHAPES = ["1:1", "16:9", "3:4", "4:3"]
low = st.integers(1, 50)
spans = st.builds(lambda first, more: f"{first}..{first + more}", low, st.integers(1, 12))
own: st.SearchStrategy[dict[str, str]] = st.one_of(
    st.just(dict[str, str]()),
    st.fixed_dictionaries({"seed": spans}),
    st.fixed_dictionaries({"aspect_ratio": st.sampled_from(SHAPES)}),
)
rules = st.fixed_dictionaries({"seed": spans, "aspect_ratio": st.sampled_from(SHAPES)})
# A prompt without values of its own, and a shape that two rules leave: no job is empty.
UNIONS = st.fixed_dictionaries(
    {
        "prompts": st.lists(own, min_size=1, max_size=5).map(
            lambda found: [
                {"id": f"p{n}", "text": "a", **more} for n, more in enumerate([{}, *found])
            ]
        ),
        "matrix": st.fixed_dictionaries(
            {
                "seed": st.integers(2, 16).map("1..{}".format),
                "aspect_ratio": st.integers(3, 4).map(lambda n: SHAPES[:n]),
                "num_images": st.integers(1, 4).map("1..{}".format),
            }
        ),
    },
    optional={
        "exclude": st.lists(rules, min_size=1, max_size=2),
        "add": st.just([{"prompt": "p0", "seed": 99, "aspect_ratio": "9:16", "num_images": 1}]),
        "set": st.just([{"when": {"seed": "1..2"}, "then": {"num_images": 1}}]),
    },
)


def rows(job: Job) -> Iterator[dict[str, object]]:
    for variant in job.variants:
        names = {"prompt": variant.prompt_id, "model": variant.model, **variant.labels}
        asked = (name for name in job.outline.columns if name in variant.request)
        yield {**{name: variant.request[name] for name in asked}, **names}


def furthest(job: Job, start: int, least: float = 0) -> tuple[float, float]:
    """How far a count of a value is ever from its share, in variants and as a part of that.

    From so many times the length of the longest axis on, where the share is at *least* so large.
    """
    listed = list(rows(job))
    whole = Counter(item for row in listed for item in row.items())
    longest = max(Counter(name for name, _ in whole).values())
    counts: Counter[tuple[str, object]] = Counter()
    far, part = 0.0, 0.0
    for place, row in enumerate(listed, 1):
        counts.update(row.items())
        for item, number in whole.items() if place >= start * longest else ():
            share = number * place / len(listed)
            if share < least:
                continue
            far = max(far, abs(counts[item] - share))
            part = max(part, abs(counts[item] - share) / share)
    return far, part


@pytest.mark.parametrize("case", PRODUCTS)
def test_any_beginning_of_a_product_is_a_fair_sample_over_all_axes(load, case):
    job = load(JOB + PRODUCTS[case])
    assert furthest(job, start=0)[0] < 1
    assert furthest(job, start=10)[1] < 0.1


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(shape=UNIONS)
def test_a_union_of_products_is_off_by_half_as_much_again_as_it_has_products(
    load: Any, shape: Mapping[str, Any]
) -> None:
    job = load(json.dumps({"name": "k", "order": "balanced", **shape}))
    found = balanced(job.variants.boxes, job.outline.columns)
    assert found is not None
    far = 1.5 * len(found.sets)
    assert furthest(job, start=0)[0] < far
    assert furthest(job, start=0, least=10 * far)[1] < 0.1


@pytest.mark.parametrize("case", OTHERS)
def test_what_is_no_product_is_off_by_two_variants_at_the_most(load, case):
    assert furthest(load(JOB + OTHERS[case]), start=0)[0] < 2


@pytest.mark.parametrize("case", [*PRODUCTS.values(), *OTHERS.values()])
def test_an_order_has_every_variant_once_and_changes_none(load, case):
    files = {v.key: v for v in load("name: k\n" + case).variants}
    for order in ("balanced", "shuffle"):
        variants = load(f"name: k\norder: {order}\n{case}").variants
        listed = list(variants)
        assert {v.key: v for v in listed} == files
        assert len(variants) == len(listed) == len(files)
        assert [variants[i] for i in range(len(listed))] == listed
        assert list(variants[5:20:3]) == listed[5:20:3]
        assert list(variants[20::-1][2:].keys()) == [v.key for v in listed[20::-1]][2:]
        assert variants.fingerprint() == load("name: k\n" + case).variants.fingerprint()


def test_another_seed_of_the_job_is_another_shuffle(load):
    text = "name: k\nprompts: [a]\nmatrix: {seed: 1..100}\norder: shuffle\n"
    one, same, other = (
        [v.index for v in load(text + more).variants] for more in ("", "", "job_seed: 1\n")
    )
    assert one == same
    assert len({tuple(one), tuple(other), tuple(range(100))}) == 3


@given(size=st.integers(0, 400), seed=st.integers(0, 10))
def test_a_shuffle_has_every_number_once(size, seed):
    found = Shuffled(size, seed)
    assert sorted(found) == list(range(len(found))) == list(range(size))
    assert found[1:5] == list(found)[1:5]


def test_a_shuffle_of_two_thousand_million_needs_no_list():
    found = Shuffled(2_000_000_000, 1)
    assert len({found[i] for i in range(1_000)}) == 1_000
    assert sum(found[i] >= 1_000_000_000 for i in range(1_000)) in range(400, 600)


def _boxes(sizes: list[int]) -> list[Box]:
    def grid(size: int) -> Grid:
        return Grid(model="m", values={"s": Values(range(size))}, labels={}, words={}, places={})

    def prompt(name: str) -> Prompt:
        return Prompt(id=name, text="t", values={}, place=Place(file="j", line=1, column=1))

    return [
        Box(prompt=prompt(f"p{n}"), text="t", grid=grid(size), entry=n, own={})
        for n, size in enumerate(sizes)
    ]


@settings(max_examples=30)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_sets_of_any_sizes_take_turns_in_proportion(sizes):
    found = balanced(_boxes(sizes), ["s"])
    assert found is not None
    assert sorted(found) == list(range(sum(sizes)))
    assert found[1:4] == list(found)[1:4]


def test_with_too_many_kinds_of_prompts_a_job_is_shuffled(load, monkeypatch):
    monkeypatch.setattr(balance, "MAX_EXACT", 2)
    monkeypatch.setattr(balance, "MAX_SETS", 2)
    assert balanced(_boxes([1, 2, 3]), ["s"]) is None
    prompts = ", ".join(f'{{text: a, seed: "{n}00..{n}0{n}"}}' for n in range(1, 5))
    job = load(JOB + f"prompts: [{prompts}]\n")
    assert [v.index for v in job.variants] != sorted(v.index for v in job.variants)
    assert [w.message for w in job.warnings] == [
        "too many prompts have values of their own; shuffled"
    ]


def test_many_prompts_with_as_many_values_of_their_own_share_a_set(load):
    prompts = ", ".join(f"{{text: a, seed: {n}0..{n}4}}" for n in range(balance.MAX_EXACT + 1))
    job = load(JOB + f"prompts: [{prompts}]\n")
    found = balanced(job.variants.boxes, job.outline.columns)
    assert found is not None
    assert [len(wheels) for wheels in found.sets] == [len(job.variants)]
    assert furthest(job, start=0)[0] < 1


def test_a_union_of_very_many_linked_values_has_every_variant_once(load):
    looks = ", ".join(f"{{name: l{n}, negative_prompt: p{n}}}" for n in range(26))
    lights = ", ".join(f"w{n}" for n in range(20))
    job = load(
        f"{JOB}prompts: ['a {{light}}']\nmatrix: {{look: [{looks}], light: [{lights}]}}\n"
        "exclude: [{look: l3, light: w5}]\n"
    )
    assert sorted(v.index for v in job.variants) == list(range(26 * 20 - 1))


def test_boxes_that_only_unnamed_values_tell_apart_take_turns():
    one, other = _boxes([2, 2])
    boxes = [one, Box(prompt=one.prompt, text="t", grid=other.grid, entry=0, own={})]
    assert sorted(balanced(boxes, ["x"]) or ()) == [0, 1, 2, 3]
