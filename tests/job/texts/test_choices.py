"""Random numbers, to the last digit, and what is made of them."""

import hashlib
from collections import Counter

import pytest

from batchgen.job.texts.choices import MAX_COUNT, Stream, choice, phrase, pick, stream
from batchgen.job.texts.wildcards import WildcardError, parse

WORDS = [
    8573933423195391502,
    364286514236102678,
    15833396188811376587,
    7999558695306041326,
    17428661660430712928,
]
BELOW = [315, 4]
UNIFORM = 0.41625797867622016
TEXTS = ["b d, g", "a d, e", "b f, g", "b d, e"]


def _none(name: str):
    raise WildcardError(f"no list {name}")


def _texts(text: str, number: int, *, seed: int = 1, prompt: str = "p") -> list[str]:
    tree = parse(text, _none)
    return [tree.draw(stream(seed, prompt, draw)) for draw in range(number)]


def test_the_random_numbers_stay_what_they_are():
    numbers = stream(42, "mug-é", 3)
    assert [numbers.word() for _ in range(5)] == WORDS
    assert [stream(42, "mug-é", 4).below(1000), stream(-1, "", 0).below(6)] == BELOW
    assert stream(0, "a", 0).uniform() == UNIFORM
    assert _texts("{a|b|c} {2$$d|e|f|g}", 4) == TEXTS


def test_numbers_follow_the_documented_rule():
    content = '{"draw":3,"job_seed":42,"prompt":"mug-é","v":1}'
    seed = hashlib.sha256(content.encode()).digest()
    blocks = b"".join(hashlib.sha256(seed + bytes(7) + bytes([b])).digest() for b in range(3))
    numbers = stream(42, "mug-é", 3)
    for start in range(0, 96, 8):
        assert numbers.word() == int.from_bytes(blocks[start : start + 8], "big")


def test_a_number_that_would_favour_small_ones_is_skipped():
    words = [2**64 - 1, 2**64 - 2, 5]

    class Told(Stream):
        def word(self) -> int:
            return words.pop(0)

    assert Told(b"").below(3) == (2**64 - 2) % 3
    assert words == [5]


def test_seed_prompt_and_draw_each_change_the_numbers():
    keys = [(s, p, d) for s in (0, 1, -1) for p in ("", "a", "b", "1") for d in range(20)]
    assert len({stream(*key).word() for key in keys}) == len(keys)


def test_earlier_draws_stay_when_more_are_asked_for_or_other_prompts_change():
    few = _texts("{a|b|c|d}{e|f|g|h}", 5)
    _texts("{x|y}", 100, prompt="q")
    assert _texts("{a|b|c|d}{e|f|g|h}", 50)[:5] == few
    assert _texts("{a|b|c|d}{e|f|g|h}", 50, prompt="q") != _texts("{a|b|c|d}{e|f|g|h}", 50)


def test_options_are_drawn_as_often_as_their_weights_say():
    found = Counter(_texts("{3::a|b|0.5::c|}", 11_000))
    for text, expected in {"a": 6000, "b": 2000, "c": 1000, "": 2000}.items():
        assert abs(found[text] - expected) < 200, found


def test_picked_options_differ_and_follow_their_weights():
    found = Counter(_texts("{2$$8::a|b|1::c}", 10_000))
    # a then b: 8/10 * 1/2; b then a: 1/10 * 8/9; both orders spell "a, b".
    for text, expected in {"a, b": 4889, "a, c": 4889, "b, c": 222}.items():
        assert abs(found[text] - expected) < 200, found
    assert sum(found.values()) == 10_000
    sizes = Counter(map(len, _texts("{0-3$$$$a|b|c|d}", 8_000)))
    assert all(abs(sizes[size] - 2000) < 200 for size in range(4)), sizes


def test_an_option_is_never_picked_twice():
    options = [(weight, phrase([str(weight)])) for weight in (1, 2, 1, 3)]
    tree = pick(choice(options), low=3, high=3, separator="")
    for draw in range(300):
        assert Counter(tree.draw(stream(1, "p", draw))) <= Counter("1213")


def test_counts_are_exact_until_they_are_beyond_all_use():
    assert parse("{a|b}" * 300, _none).count() == 2**300
    assert parse("{20$$" + "|" * 99 + "}", _none).count() == 535983370403809682970
    tree = parse("{a|b}" * 2_000, _none)
    assert tree.count() == MAX_COUNT
    with pytest.raises(IndexError):
        tree.nth(0)
    assert len(tree.draw(stream(1, "p", 0))) == 2_000


@pytest.mark.parametrize("index", [-1, 6])
def test_there_is_no_derivation_outside_the_count(index):
    with pytest.raises(IndexError):
        parse("{a|b} {c|d|e}", _none).nth(index)


def test_any_of_many_derivations_is_found_without_the_others():
    tree = parse("{a|b|c|d}" * 100, _none)
    assert tree.nth(4**100 - 1) == "d" * 100
    assert tree.nth(6) == "a" * 98 + "bc"
