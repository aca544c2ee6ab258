"""Job files with mistakes, and the very words they are refused with: those of ``wrong_jobs.txt``.

A case is a title, the keys of a job (the prompt ``cup`` stands in for one that has none), and a
line ``! place: message`` for each mistake.
"""

from pathlib import Path

import pytest

CASES = {
    title: body.splitlines()
    for title, _, body in (
        case.partition("\n")
        for case in Path(__file__).with_name("wrong_jobs.txt").read_text().split("---- ")[1:]
    )
}


def test_there_are_fifty_of_them():
    assert len(CASES) >= 50


@pytest.mark.parametrize("title", CASES)
def test_a_mistake_is_told_in_these_words_at_this_place(refusals, title):
    job = [line for line in CASES[title] if not line.startswith("! ")]
    if not any(line.startswith(("prompts:", "promts:")) for line in job):
        job.append("prompts: [{id: cup, text: A cup}]")
    told = refusals("\n".join(["name: k", *job, ""]))
    assert [f"! {line.removeprefix('job.yaml:')}" for line in told] == [
        line for line in CASES[title] if line.startswith("! ")
    ]
