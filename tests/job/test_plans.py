"""Job files with the exact list of what they ask for: those in ``plans`` say it at their end.

A line ``#= cup {"light": "dawn"} {"prompt": …}`` is a variant: the id of its prompt, its model when
that is not the default, its labels when it has some, and its request.
"""

import json
from pathlib import Path

import pytest

from batchgen.job.load import load_job
from batchgen.job.models import DEFAULT_MODEL
from batchgen.job.variants import Variant

PLANS = sorted((Path(__file__).parent / "plans").glob("*.yaml"))


def line(variant: Variant) -> str:
    model = [variant.model] * (variant.model != DEFAULT_MODEL)
    parts = [dict(variant.labels)] * bool(variant.labels) + [dict(variant.request)]
    shown = (json.dumps(part, ensure_ascii=False) for part in parts)
    return " ".join(["#=", variant.prompt_id, *model, *shown])


def test_there_are_enough_of_them():
    assert len(PLANS) >= 28


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_job_asks_for_exactly_this(path):
    variants = load_job(path).variants
    expected = [text for text in path.read_text().splitlines() if text.startswith("#=")]
    assert [line(variant) for variant in variants] == expected
    assert len(variants) == len(expected) == len({v.key for v in variants})
