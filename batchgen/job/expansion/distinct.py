"""Equal requests are made once: boxes without the variants that an earlier box has."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from batchgen.job.expansion.boxes import Box, Kind
from batchgen.job.expansion.keys import GridKeys
from batchgen.job.values.axes import Values
from batchgen.job.values.canonical import canonical

DRAWN = Values((-1,))
"""The seed of a variant that is to be drawn from its content."""
_SMALL = 64  # variants of a box whose points are looked up one by one


def distinct_boxes(boxes: Sequence[Box]) -> Sequence[Box]:
    """The same variants with those left out that ask for the same as another one."""
    return _without_drawn_twins(_without_overlaps(boxes))


def _without_overlaps(boxes: Sequence[Box]) -> Sequence[Box]:
    """Leave out what an earlier box has."""
    if len({box.text for box in boxes}) == len(boxes):
        return boxes
    suspects = _suspects(boxes)
    # Of small boxes, of which a prompt file may give many thousand, every point is looked up; only
    # large ones are compared with one another, and only those of a kind can overlap at all.
    points: set[bytes] = set()
    earlier: dict[Kind, list[Box]] = {}
    large: dict[Kind, list[Box]] = {}
    kept: list[Box] = []
    for number, box in enumerate(boxes):
        if number not in suspects:
            kept.append(box)
            continue
        if box.size <= _SMALL:
            here = {_hash(box, p): p for p in map(box.point, range(box.size))}
            twins = [box.at(p) for name, p in here.items() if name in points]
            left = _cut([box], [*twins, *large.get(box.kind, ())])
            points.update(here)
        else:
            left = _cut([box], earlier.get(box.kind, ()))
            large.setdefault(box.kind, []).extend(left)
        earlier.setdefault(box.kind, []).extend(left)
        kept.extend(left)
    return kept


def _suspects(boxes: Sequence[Box]) -> set[int]:
    """The numbers of the boxes that may have a variant in common with another one."""
    kinds: dict[Kind, list[int]] = defaultdict(list)
    for number, box in enumerate(boxes):
        kinds[box.kind].append(number)
    suspects: set[int] = set()
    for numbers in kinds.values():
        if len(numbers) == 1:
            continue
        own = [boxes[number].values for number in numbers]
        fixed = [name for name in own[0] if all(len(values[name]) == 1 for values in own)]
        # Points of an axis, or what exclusions left, mostly differ in what is fixed in all.
        marks = {canonical([values[name][0] for name in fixed]) for values in own}
        if len(marks) < len(numbers):
            suspects.update(numbers)
    return suspects


def _hash(box: Box, point: object) -> bytes:
    content = [box.text, box.grid.model, point]
    return hashlib.blake2b(canonical(content), digest_size=16).digest()


def _without_drawn_twins(boxes: Sequence[Box]) -> Sequence[Box]:
    """Leave out a drawn seed that the same request is also asked for with by name."""
    drawing = {box.text for box in boxes if -1 in box.values.get("seed", ())}
    named: dict[Kind, list[Box]] = {}
    for box in boxes:
        seeds = box.values.get("seed", DRAWN)
        if box.text in drawing and (len(seeds) > 1 or -1 not in seeds):
            named.setdefault(box.kind, []).append(box)
    if not named:
        return boxes
    kept: list[Box] = []
    for box in boxes:
        others = named.get(box.kind, ()) if box.text in drawing else ()
        twins: list[Box] = []
        if others and -1 in box.values.get("seed", ()):
            drawn = replace(box, grid=box.grid.with_values({"seed": DRAWN}))
            keys = GridKeys(drawn.grid.model, drawn.values)
            for index in range(drawn.size):
                point = drawn.point(index)
                known = {**point, "seed": keys.at(box.text, index)[1]}
                if any(other.holds(known) for other in others):
                    twins.append(box.at(point))
        kept.extend(_cut([box], twins))
    return kept


def _cut(pieces: list[Box], others: Iterable[Box]) -> list[Box]:
    for other in others:
        pieces = [rest for piece in pieces for rest in piece.minus(other)]
    return pieces
