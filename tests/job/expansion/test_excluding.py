"""Exclusions by the thousand: the very pieces that one rule after the other leaves."""

import random

import pytest

from batchgen.job.expansion import excluding
from batchgen.job.expansion.boxes import Grid
from batchgen.job.expansion.excluding import Exclusions
from batchgen.job.source.files import Place
from batchgen.job.values.axes import Values
from batchgen.job.values.sweep import Rule

HERE = Place(file="job.yaml", line=1, column=1)


def rule(**where: object) -> Rule:
    """A rule that leaves out what has one of these values for each name."""
    values = {n: v if isinstance(v, Values) else Values((v,)) for n, v in where.items()}
    return Rule(where=values, then=None, place=HERE)


def grid(seeds: int = 40, word: str = "ink") -> Grid:
    """Seeds from 0, three ratios, texts for numbers, and a word."""
    return Grid(
        model="m",
        values={
            "seed": Values(range(seeds)),
            "ratio": Values(("1:1", "16:9", "4:3")),
            "n": Values((1, 1.0, True)),
        },
        labels={"word": word},
        words={},
        places={},
    )


def one_after_the_other(rules: list[Rule], whole: Grid) -> tuple[list[Grid], set[int]]:
    """The slow way: every rule is held against every piece."""
    pieces, touched = [whole], set()
    for number, own in enumerate(rules):
        left = []
        for piece in pieces:
            gone = piece.within(own.where)
            touched |= set() if gone is None else {number}
            left += [piece] if gone is None else piece.minus(gone)
        pieces = left
    return pieces, touched


def some_rule(numbers: random.Random) -> Rule:
    """Mostly exact combinations; also lists, ranges, words and names that nothing has."""
    start = numbers.randrange(40)
    seeds = [start, start, start, Values(range(start, start + numbers.randrange(1, 12)))]
    seeds.append(Values((start, numbers.randrange(45))))
    given = {
        "seed": numbers.choice(seeds),
        "ratio": numbers.choice(["1:1", "16:9", Values(("4:3", "1:1"))]),
        "n": numbers.choice([1, 1.0, True]),
        "word": numbers.choice(["ink", "oil"]),
        "model": "m",
        "other": 3,
    }
    weights = [9, 6, 6, 2, 1, 1]
    names = {*numbers.choices(list(given), weights, k=4), numbers.choice(["seed", "ratio"])}
    return rule(**{name: given[name] for name in given if name in names})


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(("few", "misses"), [(8, 32), (1, 1), (2, 3)])
def test_the_pieces_are_those_of_one_rule_after_the_other(monkeypatch, seed, few, misses):
    monkeypatch.setattr(excluding, "_FEW", few)
    monkeypatch.setattr(excluding, "_MISSES", misses)
    numbers = random.Random(seed)
    rules = [some_rule(numbers) for _ in range(numbers.choice([0, 1, 5, 120]))]
    touched: set[int] = set()
    found = Exclusions(rules=list(enumerate(rules)), touched=touched)
    for whole in (grid(), grid(word="oil"), grid(seeds=1)):
        touched.clear()
        assert (list(found.left_of(whole)), touched) == one_after_the_other(rules, whole)


@pytest.mark.parametrize("order", ["sorted", "mixed"])
def test_thousands_of_combinations_are_not_held_against_every_piece(monkeypatch, order):
    points = [(seed, ratio) for seed in range(2_000) for ratio in ("1:1", "4:3")]
    if order == "mixed":
        random.Random(1).shuffle(points)
    rules = [rule(seed=seed, ratio=ratio) for seed, ratio in points]
    looks = 0
    within = Grid.within

    def counted(*args: object) -> Grid | None:
        nonlocal looks
        looks += 1
        return within(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Grid, "within", counted)
    pieces = list(Exclusions(rules=list(enumerate(rules)), touched=set()).left_of(grid(2_000)))
    assert sum(piece.size for piece in pieces) == 2_000 * 3
    assert looks < 60 * len(rules)  # and not each for each, which is more than 4,000 * 2,000
