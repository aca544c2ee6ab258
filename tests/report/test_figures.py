"""The numbers and sentences of the plots."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from batchgen.report.contents import read_contents
from batchgen.report.figures import Figure, figures
from batchgen.report.timeline import seconds_of, timeline
from tests.report.made import Rows, dataset, failure_row, image_row


def drawn(
    root: Path, images: Rows, failures: Sequence[object] = (), **standing: object
) -> dict[str, Figure]:
    contents = read_contents(dataset(root, images, failures), standing=standing)
    return {figure.title: figure for figure in figures(contents)}


def test_pauses_are_left_out_of_the_time(tmp_path):
    line = timeline([0.0, 60.0, 120.0, 100_000.0, 100_060.0])
    assert line.seconds == 180
    assert [line.place(time) for time in (0, 120, 50_000, 100_060)] == [0, 2 / 3, 2 / 3, 1]
    assert line.starts() == [(0, 0), (2 / 3, 100_000)]


@pytest.mark.parametrize("value", [None, 7, "soon", "2026-11-27", "2026-11-27T01:00:00", "9" * 400,
                                   "0001-01-01T00:00:00+14:00"])  # fmt: skip
def test_what_is_no_moment_has_no_place(value):
    assert seconds_of(value) is None


def test_throughput_counts_every_image_once(tmp_path):
    figure = drawn(tmp_path, [image_row(tmp_path, number) for number in range(120)])["Throughput"]
    assert figure.sentence == "120 images in 2 min: 61 a minute on average."
    assert sum(int(column.tip.split()[0]) for column in figure.columns) == 120
    assert max(column.height for column in figure.columns) == 100
    assert [mark.label for mark in figure.below] == ["27 Nov 01:00", "01:01 UTC"]


def test_latency_counts_a_prediction_of_several_images_once(tmp_path):
    rows = [image_row(tmp_path, number) for number in range(100)]
    rows += [image_row(tmp_path, 100, variant_key="key0000", total_ms=1000)]
    rows += [image_row(tmp_path, 101, total_ms=80_000), image_row(tmp_path, 102, total_ms=None)]
    figure = drawn(tmp_path, rows)["Latency"]
    assert "Half within 6.0 s, 95 % within 10.5 s, the slowest 80 s" in figure.sentence
    assert sum(int(column.tip.split()[0]) for column in figure.columns) == 101
    assert figure.columns[-1].tip.endswith("to 80 s")
    assert figure.below[-1].label.endswith("and more")


def test_flags_are_counted_by_prompt_and_unknown_is_no_answer(tmp_path):
    rows = [image_row(tmp_path, n, nsfw=(n % 2 == 0) if n else None) for n in range(10)]
    figure = drawn(tmp_path, rows)["Flagged NSFW"]
    assert figure.sentence == ("4 of 9 images (44 %), by prompt. The service did not say for 1.")
    assert [(bar.label, bar.said, bar.link) for bar in figure.bars] == [
        ("p0", "4 of 5", "#images?prompt_id=p0&nsfw=true")
    ]


def test_failures_are_counted_by_reason_and_money(tmp_path):
    failures = [
        failure_row(n, error_class="filtered" if n < 3 else "lost", paid=(True, None, False)[n % 3])
        for n in range(4)
    ]
    figure = drawn(tmp_path, [], failures)["Without all their images"]
    assert figure.sentence == "4 variants, by reason; 2 were paid; 1 may have been paid."
    assert [(bar.label, bar.said) for bar in figure.bars] == [("filtered", "3"), ("lost", "1")]


@pytest.mark.parametrize(
    ("standing", "cost", "sentence"),
    [
        ({"service": "local"}, 0.0, "None: the local service charges nothing."),
        ({}, None, "Unknown: no price of the model is known."),
        ({}, 0.04, "$0.080 for 2 images, $0.040 each."),
        (
            {"spent_usd": 2.0, "reserved_usd": 1.0, "refund_expected_usd": 0.5},
            0.04,
            (
                "$0.080 for 2 images, $0.040 each; $2.00 in all, of which $1.00 may not have been "
                "charged and $0.500 should come back as refunds."
            ),
        ),
    ],
)
def test_spend_says_what_is_certain(tmp_path, standing, cost, sentence):
    rows = [image_row(tmp_path, number, cost_usd=cost) for number in range(2)]
    figure = drawn(tmp_path, rows, **standing)["Spend"]
    assert figure.sentence == sentence
    assert bool(figure.line) is ("each" in sentence)
    if figure.line:
        assert figure.line[-1] == pytest.approx((100, 100))
