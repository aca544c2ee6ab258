"""Where shards are cut, and that each is whole and listed, or is not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.dataset.exports.shards import Limits, cut

sizes = st.lists(st.tuples(st.sampled_from([".jpg", ".png"]), st.integers(1, 9)), max_size=30)


@given(sizes, st.integers(1, 5), st.integers(1, 20), st.booleans())
def test_every_image_is_in_one_shard_within_the_limits(sizes, images, size, by_ending):
    ordered = sorted(sizes)
    cuts = cut(ordered, Limits(images=images, bytes=size), by_ending=by_ending)
    assert sum(place.images for place in cuts) == len(ordered)
    start = 0
    for place in cuts:
        held = ordered[start : start + place.images]
        start += place.images
        assert len(held) <= images
        assert sum(own for _, own in held) <= size or len(held) == 1
        if by_ending:
            assert {ending for ending, _ in held} == {place.ending}
    assert len({(place.ending, place.number) for place in cuts}) == len(cuts)


@pytest.mark.parametrize(("by_ending", "shards"), [(True, 0), (False, 1)])
def test_no_images_are_no_archives_and_an_empty_table(by_ending, shards):
    assert len(cut([], Limits(), by_ending=by_ending)) == shards


def test_a_shard_takes_what_fits():
    cuts = cut([(".png", 4)] * 5, Limits(images=9, bytes=8), by_ending=True)
    assert [place.images for place in cuts] == [2, 2, 1]
