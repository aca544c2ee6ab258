"""No two images of a job have one name: proved, or refused."""

import pytest

from batchgen.errors import UsageError
from batchgen.job.expansion.unique import prove_names
from batchgen.job.job import Job

# Their keys begin with the same eight digits: found by trying.
TWINS = "name: k\nprompts: [{id: A, text: a, seed: 21312}, {id: a, text: a, seed: [33446, 5]}]\n"


def job(load, file_name: str, text: str = TWINS) -> Job:
    found: Job = load(f"{text}output: {{file_name: '{file_name}'}}\n")
    return found


def test_the_keys_of_the_twins_begin_alike(load):
    one, other, _ = load(TWINS).variants
    assert one.key[:8] == other.key[:8] == "fee5dd0e"


@pytest.mark.parametrize(
    "file_name",
    [
        "{prompt_id}/{seed}_{aspect_ratio}_{key}_{index}",
        "{variant_key}_{index}",
        "{key}_{variant_key}/{index}",
        "{seed}{key}{aspect_ratio}{index}",
        "{key}{seed}{index}",
    ],
)
def test_names_that_tell_variants_apart_pass(load, file_name):
    prove_names(job(load, file_name))


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("{key}_{index}", "images/fee5dd0e_0"),
        # Upper and lower case are the same to some file systems.
        ("{prompt_id}/{key}_{index}", "images/a/fee5dd0e_0"),
        ("{aspect_ratio}{key}{num_images}{index}", "images/1x1fee5dd0e10"),
    ],
)
def test_a_name_for_two_variants_is_refused_with_both(load, file_name, name):
    with pytest.raises(UsageError) as caught:
        prove_names(job(load, file_name))
    assert str(caught.value) == (
        f"two variants would have an image called {name}: fee5dd0ed7dc45284602 and "
        "fee5dd0e88ece023e994; write {variant_key} for {key} in output.file_name, or name "
        "more of what varies"
    )


def test_values_that_run_together_are_compared_as_names(load):
    # 1 and 11 are 111 as are 11 and 1, but the keys differ.
    text = "name: k\nprompts: [a]\nmatrix: {seed: [1, 11], num_images: [1, 2]}\n"
    prove_names(job(load, "{seed}{num_images}{key}{aspect_ratio}{index}", text))


def test_the_names_of_very_many_variants_are_not_compared_but_have_to_say_it(load):
    text = "name: k\nprompts: [a]\nmatrix: {seed: 1..2000000000}\nrun: {max_variants: 2000000000}\n"
    prove_names(job(load, "{variant_key}_{index}", text))
    with pytest.raises(UsageError, match="of more than 10,000,000 variants are not compared"):
        prove_names(job(load, "{seed}_{key}_{index}", text))
