"""The page: nothing from a dataset becomes code, nothing comes from elsewhere."""

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batchgen.report import write_report
from batchgen.report.contents import read_contents
from batchgen.report.html import page
from tests.report.made import column, data_of, dataset, failure_row, image_row

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><img src=x onerror=alert(1)>",
    "\u2028\u2029 & ' \" ` {{ 7 * 7 }} {% raw %}",
    "\x00\x1b[31m\ud800\u202ereversed",
    "javascript:alert(1)",
    "é" * 10_000,
)
# Half a character cannot be written.
SHOWN = [text.replace("\ud800", "\\ud800") for text in HOSTILE]


def made(root: Path) -> str:
    return write_report(root).page.read_text("utf-8")


def hostile_page(root: Path) -> str:
    rows = [
        image_row(root, number, prompt=text, prompt_id=text, negative_prompt=text, model=text,
                  style=text, nsfw=True, variant_key=text, saved_at=text)
        for number, text in enumerate(HOSTILE)
    ]  # fmt: skip
    failures = [
        failure_row(number, error=text, error_class=text, state=text, prompt_id=text)
        for number, text in enumerate(HOSTILE)
    ]
    dataset(root, rows, failures)
    standing = {"planned": 9, "failed": 2, "job": HOSTILE[0], "class": HOSTILE[2],
                "why": HOSTILE[1], "service": HOSTILE[0]}  # fmt: skip
    (root / "summary.json").write_text(json.dumps(standing))
    return made(root)


def test_hostile_texts_are_shown_and_nothing_else(tmp_path):
    text = hostile_page(tmp_path)
    assert len(re.findall("<script", text)) == 2
    assert len(re.findall("</script", text)) == 2
    assert "<img src=x" not in text
    assert "{{ 7 * 7 }}" in text  # as it is, not 49
    assert column(text, "prompt") == [*SHOWN, *["A pear, number 0"] * len(HOSTILE)]
    assert column(text, "error")[len(HOSTILE) :] == list(SHOWN)


def test_the_data_can_end_no_script(tmp_path):
    text = hostile_page(tmp_path)
    data = text.partition('id="data">')[2].partition("</script>")[0]
    assert not re.search("[<>&\u2028\u2029]", data)


def test_the_policy_allows_the_style_and_the_script_of_the_page_alone(tmp_path):
    text = made(dataset(tmp_path, [image_row(tmp_path, 0)]))
    policy = re.search('http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy[1].replace("&#39;", "'").split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "'self' data:"
    for tag, name in (("style", "style-src"), ("script", "script-src")):
        body = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"


def test_nothing_is_named_that_lies_elsewhere(tmp_path):
    text = made(dataset(tmp_path, [image_row(tmp_path, 0)]))
    assert not re.search("https?://|//[a-z]|@import|url\\(", text)
    assert not re.search(r"\s(style|on[a-z]+)=", text)  # would be refused by the policy


def test_images_and_failures_are_items_of_one_list(tmp_path):
    rows = [image_row(tmp_path, number) for number in range(3)]
    short = failure_row(0, state="saved", error_class="missing_output")
    text = made(dataset(tmp_path, rows, [short, failure_row(1)]))
    assert data_of(text)["count"] == 5
    assert column(text, "state") == ["saved", "saved", "saved", "short", "failed"]
    assert column(text, "file_name")[3:] == [None, None]
    assert column(text, "width")[:3] == [48, 48, 48]


def test_true_and_one_stay_different(tmp_path):
    rows = [image_row(tmp_path, n, style=value) for n, value in enumerate([1, True, 1.0, "1"] * 2)]
    values = column(made(dataset(tmp_path, rows)), "style")
    assert list(map(type, values)) == [int, bool, float, str] * 2


@pytest.mark.parametrize("failed", [0, 3])
def test_a_dataset_without_an_image_has_a_page(tmp_path, failed):
    text = made(dataset(tmp_path, [], [failure_row(number) for number in range(failed)]))
    assert data_of(text)["count"] == failed
    assert "No image has landed yet." in text
    assert ("3 variants, by reason" in text) is (failed == 3)


def test_a_long_prompt_is_there_once_and_whole(tmp_path):
    prompt = "A pear. " * 1_280
    rows = [image_row(tmp_path, number, prompt=prompt) for number in range(50)]
    text = made(dataset(tmp_path, rows))
    assert text.count(prompt.strip()) == 1


@pytest.mark.parametrize(
    ("standing", "word"),
    [
        ({"planned": 1, "saved": 1, "class": "ok"}, "ok"),
        ({"planned": 3, "saved": 1, "failed": 2, "class": "partial"}, "partial"),
        ({"planned": 3, "saved": 1, "pending": 2, "running": True, "class": "ok"}, "running"),
        # A run that was killed left the summary of the one before it.
        ({"planned": 3, "saved": 1, "pending": 2, "running": False, "class": "ok"}, "incomplete"),
        ({}, "no run has ended"),
    ],
)
def test_the_verdict_is_that_of_the_counts(tmp_path, standing, word):
    dataset(tmp_path, [image_row(tmp_path, 0)])
    contents = read_contents(tmp_path, standing=standing)
    text = "".join(page(contents, [""], datetime(2026, 11, 27, tzinfo=UTC)))
    assert f"<b>{word}</b>" in text
    assert "27 November 2026, 00:00 UTC" in text


@pytest.mark.parametrize(("only", "says"), [([], "1 of 1 variants"), (["seed=1"], "1 chosen var")])
def test_the_verdict_says_when_only_some_were_chosen(tmp_path, only, says):
    dataset(tmp_path, [image_row(tmp_path, 0)])
    standing = {"planned": 1, "saved": 1, "class": "ok", "only": only}
    contents = read_contents(tmp_path, standing=standing)
    assert says in "".join(page(contents, [""], datetime(2026, 11, 27, tzinfo=UTC)))
