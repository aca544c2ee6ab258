"""The tree of a prompt with wildcards: how many texts it stands for, each of them, a random one.

A derivation is one way through the tree: an option for every choice on the way. Two derivations
may spell the same text (``{a|a}`` has two). Counts are made of counts, never by expanding.
"""

import hashlib
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import accumulate
from operator import neg

from batchgen.job.values.canonical import canonical

MAX_COUNT = 10**100  # more is counted as this; a file of ten lines can stand for 2**(10**30) texts
WEIGHT_ONE = 10**6  # weights are whole millionths, so that sums are exact on every machine


class Stream:
    """Random numbers that are the same everywhere; made by :func:`stream`."""

    __slots__ = ("_block", "_seed", "_words")

    def __init__(self, seed: bytes) -> None:
        """Start at the first number of *seed*, 32 bytes."""
        self._seed = seed
        self._block = 0
        self._words: list[int] = []

    def word(self) -> int:
        """The next whole number from 0 to 2**64 - 1."""
        if not self._words:
            block = hashlib.sha256(self._seed + self._block.to_bytes(8, "big")).digest()
            self._words = [int.from_bytes(block[i : i + 8], "big") for i in (24, 16, 8, 0)]
            self._block += 1
        return self._words.pop()

    def below(self, end: int) -> int:
        """A whole number from 0 to *end* - 1, each as likely; *end* is 1 to 2**64.

        The next word modulo *end*; words from the largest multiple of *end* on are skipped.
        """
        limit = 2**64 - 2**64 % end
        while (word := self.word()) >= limit:
            pass
        return word % end

    def uniform(self) -> float:
        """A number from 0 up to but not including 1: the upper 53 bits of the next word."""
        return (self.word() >> 11) / 2**53


def stream(job_seed: int, prompt_id: str, draw: int) -> Stream:
    """The random numbers of one draw of one prompt; *draw* counts from 0.

    The seed is the SHA-256 of the canonical JSON ``{"draw":…,"job_seed":…,"prompt":…,"v":1}``;
    block b is the SHA-256 of the seed and b as 8 bytes, big-endian, from b = 0; each block is four
    words of 8 bytes, big-endian. So no draw depends on another prompt, nor on how many are asked
    for. A changed rule would make other prompts of every job, hence the version.
    """
    content = {"draw": draw, "job_seed": job_seed, "prompt": prompt_id, "v": 1}
    return Stream(hashlib.sha256(canonical(content)).digest())


@dataclass(frozen=True, kw_only=True, slots=True)
class Phrase:
    """Texts and choices, one after the other."""

    parts: "tuple[str | Choice | Pick, ...]"
    ways: int
    size: int
    """The characters of the longest text, and at least one for each part: the work it may take."""

    def count(self) -> int:
        """How many derivations; MAX_COUNT stands for that many or more."""
        return self.ways

    def nth(self, index: int) -> str:
        """The text of derivation *index*; the last choice changes fastest.

        Raises IndexError unless 0 <= *index* < ``count()``, and when there are MAX_COUNT.
        """
        if not 0 <= index < self.ways < MAX_COUNT:
            raise IndexError(f"derivation {index} of {self.ways}")
        texts: list[str] = []
        for part in reversed(self.parts):
            if isinstance(part, str):
                texts.append(part)
            else:
                index, own = divmod(index, part.ways)
                texts.append(part.nth(own))
        return "".join(reversed(texts))

    def draw(self, numbers: Stream) -> str:
        """A random text; choices draw from left to right, outer ones before those inside them."""
        texts: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                texts.append(part)
            else:
                texts.append(part.draw(numbers))
        return "".join(texts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One of several phrases; also the lines of a word list."""

    options: tuple[Phrase, ...]
    weights: tuple[int, ...] = field(repr=False)
    """Of the options up to and with each, in millionths."""
    counts: tuple[int, ...] = field(repr=False)
    """Derivations of the options up to and with each."""
    size: int

    @property
    def ways(self) -> int:
        """How many derivations."""
        return self.counts[-1]

    def nth(self, index: int) -> str:
        """The text of derivation *index*: all of the first option, then all of the second."""
        found = bisect_right(self.counts, index)
        return self.options[found].nth(index - (self.counts[found - 1] if found else 0))

    def draw(self, numbers: Stream) -> str:
        """The text of an option drawn by weight."""
        found = bisect_right(self.weights, numbers.below(self.weights[-1]))
        return self.options[found].draw(numbers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pick:
    """*low* to *high* different options of a choice, in the order of its list."""

    choice: Choice
    low: int
    high: int
    separator: str
    table: tuple[Sequence[int], ...] = field(repr=False)
    """``table[k][i]``: the derivations of k options out of those from option i on."""
    ways: int
    size: int

    def nth(self, index: int) -> str:
        """The text of derivation *index*: smaller numbers of options first, then as listed."""
        number = self.low
        while index >= self.table[number][0]:
            index -= self.table[number][0]
            number += 1
        options, texts, start = self.choice.options, list[str](), 0
        for left in range(number, 0, -1):
            # The derivations whose first option is i or later number column[i].
            column, rest = self.table[left], self.table[left - 1]
            first = bisect_right(column, index - column[start], start, len(options), key=neg) - 1
            index -= column[start] - column[first]
            own, index = divmod(index, rest[first + 1])
            texts.append(options[first].nth(own))
            start = first + 1
        return self.separator.join(texts)

    def draw(self, numbers: Stream) -> str:
        """Options drawn by weight one after the other; how many, each number as likely."""
        weights = self.choice.weights
        left, taken = weights[-1], list[int]()
        for _ in range(self.low + numbers.below(self.high - self.low + 1)):
            at = numbers.below(left)
            for index in taken:  # step over what is gone
                before = weights[index - 1] if index else 0
                at += weights[index] - before if at >= before else 0
            found = bisect_right(weights, at)
            left -= weights[found] - (weights[found - 1] if found else 0)
            insort(taken, found)
        options = self.choice.options
        return self.separator.join([options[index].draw(numbers) for index in taken])


_EMPTY = Phrase(parts=(), ways=1, size=0)


def phrase(parts: Sequence[str | Choice | Pick]) -> Phrase:
    """The phrase of *parts*; texts side by side become one."""
    if not parts:
        return _EMPTY
    merged: list[str | Choice | Pick] = []
    texts: list[str] = []
    ways, size = 1, 0
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            size += len(part)
            continue
        if texts:
            merged.append("".join(texts))
            texts.clear()
        merged.append(part)
        ways = min(ways * part.ways, MAX_COUNT)
        size += max(part.size, 1)
    if texts:
        merged.append("".join(texts))
    return Phrase(parts=tuple(merged), ways=ways, size=size)


def choice(options: Sequence[tuple[int, Phrase]]) -> Choice:
    """One of *options*, at least one, each a weight in millionths and a phrase."""
    phrases = tuple(option for _, option in options)
    return Choice(
        options=phrases,
        weights=tuple(accumulate(weight for weight, _ in options)),
        counts=tuple(accumulate((p.ways for p in phrases), lambda a, b: min(a + b, MAX_COUNT))),
        size=max(p.size for p in phrases),
    )


def pick(among: Choice, *, low: int, high: int, separator: str) -> Pick:
    """*low* to *high* of the options of *among*, which has *high* or more."""
    number = len(among.options)
    table: list[Sequence[int]] = [(1,) * (number + 1)]
    for _ in range(high):
        column, before = [0] * (number + 1), table[-1]
        for i in range(number - 1, -1, -1):
            column[i] = min(column[i + 1] + among.options[i].ways * before[i + 1], MAX_COUNT)
        table.append(column)
    ways = min(sum(column[0] for column in table[low:]), MAX_COUNT)
    largest = nlargest(high, (max(option.size, 1) for option in among.options))
    size = sum(largest) + high * len(separator)
    return Pick(
        choice=among,
        low=low,
        high=high,
        separator=separator,
        table=tuple(table),
        ways=ways,
        size=size,
    )
