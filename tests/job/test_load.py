"""A whole job file: every mistake in words, with its place, and what a right one becomes."""

import time
import tracemalloc
from pathlib import Path

import pytest

from batchgen.errors import ExitCode, JobError
from batchgen.job.expansion import expand
from batchgen.job.load import Pace

IN_CAPTIONS = "aspect_ratio, negative_prompt, prompt, prompt_id, seed"
JOB = "name: k\nprompts:\n  - A cup\n"
RATIOS = "1:1, 16:9, 9:16, 3:4, 4:3"
SEED = "expected a whole number from -1 to 2147483647"
NOT_OF_IMAGEN = "wavespeed-ai/imagen4 has no parameter"
WORD = "a word of the texts stands in one of them"
SPLIT = "expected a text, got a mapping; a text with ': ' in it needs quotes"
TABS = "expected valid YAML: found a tab; indent with spaces, not tabs"
OURS = "more variants go under add, other values for some of them under set"
ENDPOINT = "expected a model id, got the text '{}', which is another endpoint of the API"
RAISE = "raise run.max_variants if you want them all"
HAS = "it has negative_prompt, aspect_ratio, num_images, seed"
NAME = "lower-case letters, digits, '-', '_' and '.', starting with a letter or digit"
SPREAD = 'expected a list, "0..99" or {start: 0, count: 100}'
MODEL_ID = (
    "expected a model id such as wavespeed-ai/imagen4 (lower-case letters, digits, "
    "'-', '_', '.' and '/')"
)

WRONG_FORM = [
    ("", "1:1: expected a mapping with the keys name and prompts, got nothing"),
    ("- a\n", "1:1: expected a mapping with the keys name and prompts, got a list"),
    ("k\n", "1:1: expected a mapping with the keys name and prompts, got the text 'k'"),
    ("name: k\n", "1:1: expected the key 'prompts', got none"),
    ("prompts: [a]\n", "1:1: expected the key 'name', got none"),
    ("name: K x\nprompts: [a]\n", f"1:7: expected {NAME}, got the text 'K x'"),
    ("name: 7\nprompts: [a]\n", "1:7: expected a text, got the number 7; put it in quotes"),
    ("name:\nprompts: [a]\n", "1:6: expected a text, got nothing"),
    ("name: k\nprompts: []\n", "2:10: expected at least one prompt, got an empty list"),
    ("name: k\nprompts: A cup\n", "2:10: expected a list, got the text 'A cup'"),
    ("name: k\nprompts: {a: b}\n", "2:10: expected a list, got a mapping"),
    ("name: k\nprompts: [7]\n", "2:11: expected a text, got the number 7; put it in quotes"),
    ('name: k\nprompts: [""]\n', "2:11: expected a text, got an empty one"),
    ('name: k\nprompts: [a, "  "]\n', "2:14: expected a text that is not empty"),
    ("name: k\nprompts: [[a]]\n", "2:11: expected a text, got a list"),
    (JOB + "extra: 1\n", "4:1: unknown key 'extra'"),
    (JOB + "modle: a/b\n", "4:1: unknown key 'modle'; did you mean 'model'?"),
    (JOB + "run: {concurency: 3}\n", "4:7: unknown key 'concurency'; did you mean 'concurrency'?"),
    (JOB + "run: {concurrency: 0}\n", "4:20: expected a number of at least 1, got the number 0"),
    (JOB + 'run: {concurrency: "8"}\n', "4:20: expected a whole number, got the text '8'"),
    (
        JOB + "run: {concurrency: 20000}\n",
        "4:20: expected a number of at most 10,000, got the number 20000",
    ),
    (JOB + "run: {rate: 0}\n", "4:13: expected a number of more than 0, got the number 0"),
    ("name: k\nprompts:\n  - A pear: ripe\n", f"3:5: {SPLIT}"),
    ("name: k\nprompts:\n  - Portrait: a man\n", f"3:5: {SPLIT}"),
    ("name: k\nprompts:\n\t- a\n", f"3:1: {TABS}"),
    ("name: k\nprompts:\n  - ünï\nrun:\n\trate: 3\n", f"5:1: {TABS}"),
    (JOB + "include: [{seed: 3}]\n", f"4:1: unknown key 'include'; {OURS}"),
    (JOB + "matrix: {include: [{seed: 3}]}\n", f"4:10: {OURS}"),
    (
        JOB + "seed: 3\n",
        "4:1: unknown key 'seed'; several seeds go under matrix, one goes under params",
    ),
    (
        JOB + "matrix: {animal: [cat]}\n",
        f"4:10: {NOT_OF_IMAGEN} 'animal'; {HAS}; {WORD}, as {{animal}}",
    ),
    (
        JOB + "matrix: {look: [{style: ink}]}\n",
        "4:17: expected a mapping with a name, such as {name: ink}, got one without",
    ),
    (JOB + "run: {budget: lots}\n", "4:15: expected a number, got the text 'lots'"),
    (JOB + "run: {budget: .inf}\n", "4:15: expected a number, got the text '.inf'"),
    (
        JOB + "run: {budget: 2000000000}\n",
        "4:15: expected a number of at most 1,000,000,000, got the number 2000000000",
    ),
    (JOB + "run: {poll: 3}\n", "4:13: expected a mapping, got the number 3"),
    (
        JOB + "run: {poll: {min_interval: 0}}\n",
        "4:28: expected a number of at least 0.01, got the number 0",
    ),
    (
        JOB + "run: {timeouts: {pol: 3}}\n",
        "4:18: unknown key 'pol'; did you mean 'poll'?",
    ),
    (JOB + "run:\n", "4:5: expected a mapping, got nothing"),
    (
        JOB + "service: wavespeeed\n",
        "4:10: expected wavespeed or local, got the text 'wavespeeed'; did you mean 'wavespeed'?",
    ),
    (JOB + "service: [local]\n", "4:10: expected wavespeed or local, got a list"),
    (JOB + 'output: {dir: ""}\n', "4:15: expected a text, got an empty one"),
    (
        JOB + "output: {caption: '{prompt}, {styl}'}\n",
        f"4:19: unknown placeholder {{styl}}; there are {IN_CAPTIONS}",
    ),
    (
        JOB + "output: {also: [captons]}\n",
        (
            "4:17: expected captions, rows, croissant or checksums, got the text 'captons'; "
            "did you mean 'captions'?"
        ),
    ),
    (JOB + "output: {file_nam: x}\n", "4:10: unknown key 'file_nam'; did you mean 'file_name'?"),
    (
        JOB + f'output: {{file_name: "{"x" * 201}"}}\n',
        f"4:21: expected at most 200 characters, got the text '{'x' * 57}...'",
    ),
    (JOB + "matrix: [1]\n", "4:9: expected a mapping, got a list"),
]

WRONG_VALUES = [
    (
        JOB + "matrix: {seeds: [1]}\n",
        f"4:10: {NOT_OF_IMAGEN} 'seeds'; did you mean 'seed'?",
    ),
    (
        JOB + "matrix: {seed: 7}\n",
        f"4:16: {SPREAD}, got the number 7; a single value goes under params",
    ),
    (JOB + "matrix: {seed: []}\n", "4:16: expected at least one value, got an empty list"),
    (JOB + "matrix: {seed: [1, two]}\n", f"4:20: {SEED}, got the text 'two'"),
    (JOB + "matrix: {seed: [1.0]}\n", f"4:17: {SEED}, got the number 1.0"),
    (JOB + "matrix: {seed: [true]}\n", f"4:17: {SEED}, got true"),
    (JOB + "matrix: {seed: 5..1}\n", "4:16: expected low..high, got '5..1'"),
    (JOB + "matrix: {seed: 0..3000000000}\n", f"4:16: {SEED}, got the number 3000000000"),
    (JOB + "matrix: {seed: {start: 1}}\n", "4:16: expected the keys start and count, got start"),
    (
        JOB + "matrix: {seed: {start: a, count: 2}}\n",
        "4:16: expected whole numbers as start and count, got the text 'a' and the number 2",
    ),
    (
        JOB + "matrix: {seed: {start: 1, count: 0}}\n",
        "4:16: expected a count of at least 1, got 0",
    ),
    (
        JOB + "matrix: {aspect_ratio: [1:1, 16x9]}\n",
        f"4:30: expected one of {RATIOS}, got the text '16x9'; did you mean '16:9'?",
    ),
    (
        JOB + "matrix: {aspect_ratio: [16:10]}\n",
        f"4:25: expected one of {RATIOS}, got the text '16:10'",
    ),
    (
        JOB + "matrix: {num_images: [5]}\n",
        "4:23: expected a whole number from 1 to 4, got the number 5",
    ),
    (JOB + "matrix: {prompt: [a]}\n", "4:10: prompts go under the key prompts"),
    (JOB + "params: {prompt: a}\n", "4:10: prompts go under the key prompts"),
    (
        JOB + "params: {seed: [1, 2]}\n",
        f"4:16: {SEED}, got a list; several values go under matrix",
    ),
    (JOB + 'params: {seed: "7"}\n', f"4:16: {SEED}, got the text '7'"),
    (
        JOB + "params: {negative_prompt: 7}\n",
        "4:27: expected a text, got the number 7; put it in quotes",
    ),
    (JOB + "params: {negative_prompt: null}\n", "4:27: expected a text, got nothing"),
    (
        JOB + "params: {negative_promt: x}\n",
        f"4:10: {NOT_OF_IMAGEN} 'negative_promt'; did you mean 'negative_prompt'?",
    ),
    (
        JOB + "params: {guidance: x}\n",
        f"4:10: {NOT_OF_IMAGEN} 'guidance'; {HAS}",
    ),
    (JOB + "model: 7\n", "4:8: expected a text, got the number 7; put it in quotes"),
    (JOB + "model: a/b?webhook=x\n", f"4:8: {MODEL_ID}, got the text 'a/b?webhook=x'"),
    (
        JOB + "model: predictions/foo\n",
        f"4:8: {ENDPOINT.format('predictions/foo')}",
    ),
    (
        JOB + 'output: {file_name: "{key}"}\n',
        "4:21: expected {key} and {index} in it, so that no two images share a name",
    ),
]


@pytest.mark.parametrize(("text", "problem"), WRONG_FORM + WRONG_VALUES)
def test_each_mistake_is_said_with_its_place(refusals, text, problem):
    assert refusals(text) == [f"job.yaml:{problem}"]


def test_all_mistakes_of_a_file_are_said_in_its_order(refusals):
    text = (
        "nam: k\n"
        "prompts:\n"
        "  - 7\n"
        "  - {id: a, text: x, sed: 1}\n"
        "  - {text: y, seed: -2}\n"
        "matrix: {aspect_ratio: [1:1, 2:1], seed: [x]}\n"
        "params: {num_images: 9}\n"
        "run: {rate: -1, pol: 1}\n"
        "output: {file_name: '{key}'}\n"
    )
    places = [found.split(" ")[0] for found in refusals(text)]
    expected = "1:1 1:1 3:5 4:22 5:21 6:30 6:43 7:22 8:13 8:17 9:21"
    assert places == [f"job.yaml:{place}:" for place in expected.split()]


def test_the_line_is_shown_with_a_caret_under_the_place(load):
    with pytest.raises(JobError) as caught:
        load(JOB + "matrix: {seed: [1, two]}\n")
    assert str(caught.value).splitlines() == [
        f"job.yaml:4:20: {SEED}, got the text 'two'",
        "    matrix: {seed: [1, two]}",
        "                       ^",
    ]
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_long_line_is_shown_around_the_place_only(load):
    with pytest.raises(JobError) as caught:
        load(f"name: k\nprompts: [{{text: {'x' * 2000}, sed: 1}}]\n")
    _, shown, caret = str(caught.value).splitlines()
    assert len(shown) <= 84
    assert shown[caret.index("^") :].startswith("sed: 1")


def test_a_job_file_becomes_a_job(load):
    job = load(
        "name: kitchen\nservice: local\nprompts: [A cup, {id: b, text: A box, seed: [1, 2]}]\n"
        "matrix: {aspect_ratio: [1:1, 16:9]}\nparams: {num_images: 2}\n"
        "run: {concurrency: 4, rate: 30, budget: 2.01, poll: {min_interval: 1}, "
        "timeouts: {submit: 1, poll: 2, download: 3, prediction: 4}}\n"
    )
    assert (job.name, job.service) == ("kitchen", "local")
    assert [model.id for model in job.models] == ["wavespeed-ai/imagen4"]
    assert job.outline.axes == ("aspect_ratio", "seed")
    assert (len(job.variants), job.image_count()) == (6, 12)
    assert (job.folder, job.file, job.warnings) == (Path("out/kitchen"), Path("job.yaml"), ())
    assert job.pace == Pace(
        tier=None,
        retries=None,
        concurrency=4,
        rate=30,
        budget_micros=2_010_000,
        max_duration=None,
        max_failures=None,
        window=None,
        on=None,
        min_free=None,
        limit=None,
        resubmit_uncertain=False,
        poll_min_interval=1,
        submit_timeout=1,
        poll_timeout=2,
        download_timeout=3,
        prediction_timeout=4,
    )
    assert job.resolved["run"]["max_variants"] == 10_000


def test_images_are_counted_also_where_their_number_varies(load):
    job = load(JOB + "matrix: {num_images: 1..4, seed: [1, 2]}\n")
    assert job.image_count() == 20


def test_the_folder_and_the_names_are_those_of_the_file(load):
    job = load(JOB + 'output: {dir: there, file_name: "{aspect_ratio}/{key}_{index}"}\n')
    variant = job.variants[0]
    assert job.folder == Path("there")
    assert job.image_name(variant, 3) == f"images/1x1/{variant.key[:8]}_3"
    assert job.image_name(variant, 3, whole_key=True) == f"images/1x1/{variant.key}_3"


def test_another_model_passes_through_with_a_warning(load):
    job = load(JOB + "model: acme/paint\nparams: {strength: 0.7, mode: {a: [1]}}\n")
    assert dict(job.variants[0].request) == {
        "prompt": "A cup",
        "strength": 0.7,
        "mode": {"a": [1]},
    }
    (warning,) = job.warnings
    assert (warning.line, warning.column) == (4, 8)
    assert warning.message == (
        "nothing is known of the model acme/paint: "
        "its parameters are sent unchecked and its price is unknown"
    )


def test_repeated_values_and_equal_requests_are_warned_of(load):
    job = load("name: k\nprompts: [a, {id: b, text: a}]\nmatrix: {seed: [1, 1, 2]}\n")
    assert len(job.variants) == 2
    assert [f"{w.line}:{w.column}: {w.message}" for w in job.warnings] == [
        "3:16: seed repeats 1 of its values; equal requests are made once",
        "2:10: 2 of 4 variants ask for the same as an earlier one; each request is made once",
    ]


def test_ten_thousand_variants_need_no_permission(load):
    assert len(load(JOB + "matrix: {seed: 1..10000}\n").variants) == 10_000


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            JOB + "matrix: {seed: 0..10000}\n",
            f"4:9: expected at most 10,000 variants, got 10,001 (1 prompt × 10,001 seed); {RAISE}",
        ),
        (
            JOB + "matrix: {seed: [1, 2], num_images: 1..4}\nrun: {max_variants: 7}\n",
            f"4:9: expected at most 7 variants, got 8 (1 prompt × 2 seed × 4 num_images); {RAISE}",
        ),
        (
            'name: k\nprompts: [{text: a, seed: "1..9"}, b]\nrun: {max_variants: 9}\n',
            f"2:10: expected at most 9 variants, got 10 (2 prompts); {RAISE}",
        ),
    ],
)
def test_an_explosion_is_refused_with_its_factors(refusals, text, problem):
    assert refusals(text) == [f"job.yaml:{problem}"]


@pytest.mark.parametrize(
    "text",
    [
        "prompts: ['A {light} cup']",
        "prompts: ['A {light} cup {seed}']",
        "prompts: ['{A|Two|No} {light} cups', b]\nrepeat: 2",
    ],
)
def test_more_texts_than_fit_into_memory_are_refused_however_many_variants_are_allowed(
    refusals, monkeypatch, text
):
    monkeypatch.setattr(expand, "MAX_BOXES", 3)
    matrix = "{look: [{name: x, negative_prompt: p}, {name: y}], light: [a, b, c], seed: 1..2}"
    rule = "exclude: [{look: x, seed: 1}]\n"
    wrong = refusals(f"name: k\n{text}\nmatrix: {matrix}\n{rule}")
    assert len(wrong) == 1
    assert "9: expected at most 2,000,000 different texts and linked values, got more" in wrong[0]


def test_many_linked_values_take_no_time_that_grows_with_their_square(refusals):
    points = "".join(f"  - {{name: n{i}}}\n" for i in range(60_000))
    began = time.process_time()
    wrong = refusals(f"{JOB}matrix:\n  look:\n{points}")
    assert time.process_time() - began < 8  # seconds; one by one they took 16
    assert "got 60,000 (1 prompt × 60,000 look)" in wrong[0]


def test_what_is_added_counts_as_what_it_says_and_no_more(load):
    job = load(
        "name: k\nprompts: [{id: a, text: a}]\n"
        "matrix: {look: [{name: x, negative_prompt: p}, {name: y}], num_images: 1..2}\n"
        "add: [{prompt: a, num_images: 3}, {prompt: a, look: x, num_images: 4}]\n"
        "run: {max_variants: 6}\n"
    )
    assert len(job.variants) == 6


def test_texts_with_wildcards_count_for_the_words_that_they_use(load, refusals):
    text = 'name: k\nprompts: [{text: "{A|No} cup {in {light}|alone}", sample: all}]\n'
    text += "matrix: {light: [a, b, c], seed: 1..2}\nrun: {max_variants: 16}\n"
    assert len(load(text).variants) == 16  # two texts of four use the word
    assert "expected at most 15 variants, got 16 (" in refusals(text.replace("16}", "15}"))[0]
    # So many are not looked through to see whether they are a few less.
    many = text.replace("1..2}", "1..20000}")
    assert "expected at most 16 variants, got 240,000 (" in refusals(many)[0]


def test_a_sample_that_the_weights_leave_short_is_warned_of(load):
    job = load('name: k\nprompts: [{text: "{100000::a|0.000001::b}", sample: 2}, b]\n')
    assert len(job.variants) == 2
    assert [f"{w.line}:{w.column}: {w.message}" for w in job.warnings] == [
        "2:18: only 1 of 2 different texts were drawn: the weights leave little chance to others"
    ]


def test_two_billion_variants_are_refused_before_any_is_made(refusals):
    tracemalloc.start()
    start = time.monotonic()
    found = refusals(JOB + "matrix: {seed: {start: 0, count: 2000000000}}\n")
    elapsed, (_, peak) = time.monotonic() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "got 2,000,000,000 (1 prompt × 2,000,000,000 seed)" in found[0]
    assert elapsed < 5
    assert peak < 20_000_000  # of which 16 MiB to read the file


def test_a_raised_limit_lets_two_billion_pass_unexpanded(load):
    job = load(
        JOB + "matrix: {seed: {start: 0, count: 2000000000}}\nrun: {max_variants: 2000000000}\n"
    )
    assert len(job.variants) == job.image_count() == 2_000_000_000
    assert job.variants[-1].request["seed"] == 1_999_999_999


def test_a_wrong_value_of_a_section_hides_no_other_one(refusals):
    wrong = refusals(JOB + "run: {rate: 0, max_duration: tonight, concurrency: many}\n")
    assert [message.split(": ")[0] for message in wrong] == [
        "job.yaml:4:13",
        "job.yaml:4:30",
        "job.yaml:4:52",
    ]


def test_a_model_that_is_nearly_a_built_in_one_is_suggested(load, refusals):
    (warning,) = load(JOB + "model: google/imagen-4\n").warnings
    assert warning.message.endswith("; did you mean 'google/imagen4'?")
    (wrong,) = refusals(JOB + "model: imagen4-ultra\n")
    assert wrong.endswith("got the text 'imagen4-ultra'; did you mean 'google/imagen4-ultra'?")


def test_what_is_added_without_one_of_the_models_is_warned_of(load):
    models = "matrix: {model: [google/imagen4-fast, google/imagen4-ultra]}\n"
    added = "add: [{text: A fig}, {text: A plum, model: google/imagen4-fast}]\n"
    (warning,) = load(f"name: k\nprompts: [A pear]\n{models}{added}").warnings
    assert f"{warning.line}:{warning.column}: {warning.message}" == (
        "4:7: this variant is made by wavespeed-ai/imagen4, which is not among the models of "
        "matrix; give it a model of its own"
    )
    of_job = "model: google/imagen4-fast\n"
    assert load(f"name: k\n{of_job}prompts: [A pear]\n{models}{added}").warnings == ()
