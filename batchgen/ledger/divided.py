"""The ledgers of several parts as one."""

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TypeVar

from batchgen.ledger import wanting
from batchgen.ledger.entry import Entry, Image, State, Totals
from batchgen.ledger.parts import PARTS, ledger_of, part_of
from batchgen.ledger.store import DamagedError, Ledger

_CHUNK = 5_000

T = TypeVar("T")


class DividedLedger(Ledger):
    """A ledger whose records are in the files of its parts; everything else is as with one file.

    Two parts know nothing of each other: a prediction id that the service gives to two variants is
    noticed only within a part.
    """

    def __init__(
        self, folder: Path, parts: Iterable[int] = range(PARTS), *, read_only: bool = False
    ) -> None:
        """Open the ledgers of *parts* in *folder*. Raises StorageError."""
        self.path = folder
        with ExitStack() as stack:
            self._by_part = {
                part: stack.enter_context(_open(ledger_of(folder, part), read_only=read_only))
                for part in parts
            }
            stack.pop_all()

    @property
    def parts(self) -> Mapping[int, Ledger]:
        """The ledgers of the parts, in the order of their keys."""
        return self._by_part

    @property
    def holds_all(self) -> bool:
        """Whether all parts are here."""
        return len(self._by_part) == PARTS

    def part(self, key: str) -> Ledger | None:
        """The ledger of the part that the variant *key* is of, if it is here."""
        return self._by_part.get(part_of(key))

    def close(self) -> None:
        """Close all of them."""
        if self._by_part:
            self._everywhere(Ledger.close)

    def put_down(self) -> None:
        """Close all of them for a while: until :meth:`take_up` nothing may be asked."""
        self.close()
        self._down, self._by_part = list(self._by_part), {}

    def take_up(self) -> None:
        """Open those again that were put down. Raises StorageError."""
        with ExitStack() as stack:
            self._by_part = {
                part: stack.enter_context(_open(ledger_of(self.path, part), read_only=False))
                for part in self._down
            }
            stack.pop_all()

    def distrust(self) -> None:
        """As with one file."""
        for ledger in self._by_part.values():
            ledger.distrust()

    def check(self) -> None:
        """Look for damage. Raises DamagedError."""
        for ledger in self._by_part.values():
            ledger.check()
            if "salt" not in ledger.meta():  # SQLite takes a file cut to nothing for a new one
                raise DamagedError(f"the ledger {ledger.path} is empty")

    # Writing ------------------------------------------------------------------------------------

    async def write(self, entry: Entry, images: Sequence[Image] = ()) -> None:
        """As with one file."""
        await self._by_part[part_of(entry.key)].write(entry, images)

    async def amend(self, entry: Entry) -> None:
        """As with one file."""
        await self._by_part[part_of(entry.key)].amend(entry)

    def set_meta(self, **values: object) -> None:
        """Store facts in every part that does not know them yet."""
        told = json.loads(json.dumps(values))

        def tell(ledger: Ledger) -> None:
            known = ledger.meta()
            if news := {n: v for n, v in told.items() if n not in known or known[n] != v}:
                ledger.set_meta(**news)

        self._everywhere(tell)

    def hold_unanswered(self) -> int:
        """As with one file."""
        return sum(self._everywhere(Ledger.hold_unanswered))

    def want(self, keys: Iterable[str]) -> None:
        """As with one file; keys of other parts are passed over."""
        for ledger in self._by_part.values():
            ledger.do(wanting.begin)
        left = iter(keys)
        while chunk := list(islice(left, _CHUNK)):
            for part, own in self._grouped(chunk).items():
                self._by_part[part].do(lambda db, own=own: wanting.add(db, own))  # type: ignore[misc]
        for ledger in self._by_part.values():
            ledger.do(wanting.finish)

    # Reading ------------------------------------------------------------------------------------

    def meta(self) -> dict[str, object]:
        """The facts of all parts: of one that differs, what the latest run left."""
        return _agreed([ledger.meta() for ledger in self._by_part.values()])

    def known(self, keys: Sequence[str]) -> dict[str, Entry]:
        """As with one file."""
        return self._looked_up(keys, Ledger.known)

    def states(self, keys: Sequence[str]) -> dict[str, State]:
        """As with one file."""
        return self._looked_up(keys, Ledger.states)

    def entries(self, *states: State, wanted_only: bool = False) -> Iterator[Entry]:
        """As with one file."""
        for state in states:
            for ledger in self._by_part.values():
                yield from ledger.entries(state, wanted_only=wanted_only)

    def short(self) -> Iterator[Entry]:
        """As with one file."""
        for ledger in self._by_part.values():
            yield from ledger.short()

    def images(self, *states: State) -> Iterator[tuple[Entry, Image]]:
        """As with one file; by the time they were saved where they come from several parts."""
        own = (ledger.images(*states) for ledger in self._by_part.values())
        return heapq.merge(*own, key=lambda pair: pair[1].saved_at)

    def images_of(self, keys: Sequence[str]) -> dict[str, list[Image]]:
        """As with one file."""
        return self._looked_up(keys, Ledger.images_of)

    def files(self) -> Iterator[tuple[str, str, int]]:
        """As with one file, one part after the other."""
        for ledger in self._by_part.values():
            yield from ledger.files()

    def size(self) -> int:
        """As with one file."""
        return sum(ledger.size() for ledger in self._by_part.values())

    def known_predictions(self, ids: Sequence[str]) -> set[str]:
        """As with one file."""
        return {name for ledger in self._by_part.values() for name in ledger.known_predictions(ids)}

    def images_since(self, time: str) -> int:
        """As with one file."""
        return sum(ledger.images_since(time) for ledger in self._by_part.values())

    def counts(self) -> Counter[State]:
        """As with one file."""
        return sum((ledger.counts() for ledger in self._by_part.values()), Counter())

    def asked(self) -> dict[tuple[State, str], tuple[int, int]]:
        """As with one file."""
        found: dict[tuple[State, str], tuple[int, int]] = {}
        for ledger in self._by_part.values():
            for name, (variants, images) in ledger.asked().items():
                before = found.get(name, (0, 0))
                found[name] = (before[0] + variants, before[1] + images)
        return found

    def totals(self) -> Totals:
        """As with one file."""
        each = [ledger.totals() for ledger in self._by_part.values()]
        return Totals(**{f.name: sum(getattr(t, f.name) for t in each) for f in fields(Totals)})

    def _everywhere(self, job: Callable[[Ledger], T]) -> list[T]:
        """Do *job* in all parts at once: what it waits for is the disk."""
        with ThreadPoolExecutor(len(self._by_part)) as threads:
            return list(threads.map(job, self._by_part.values()))

    def _grouped(self, keys: Iterable[str]) -> dict[int, list[str]]:
        groups: dict[int, list[str]] = {}
        for key in keys:
            part = part_of(key)
            if part in self._by_part:
                groups.setdefault(part, []).append(key)
        return groups

    def _looked_up(
        self, keys: Sequence[str], look_up: Callable[[Ledger, Sequence[str]], dict[str, T]]
    ) -> dict[str, T]:
        found: dict[str, T] = {}
        for part, own in self._grouped(keys).items():
            found |= look_up(self._by_part[part], own)
        return found


def _open(path: Path, *, read_only: bool) -> Ledger:
    if not path.exists():
        raise DamagedError(f"the ledger {path} is missing")
    return Ledger(path, read_only=read_only)


def _agreed(metas: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """One set of facts from those of all parts, which runs with other shards may have left."""
    ordered = sorted(metas, key=lambda meta: str(meta.get("started_at", "")))
    found = {name: value for meta in ordered for name, value in meta.items()}
    plans = [meta["plan"] for meta in metas if "plan" in meta]
    if any(plan != plans[0] for plan in plans):
        found["plan"] = "several"
    for mark in ("manifest", "view", "exports"):  # of files of the whole dataset
        own = [meta.get(mark) for meta in metas]
        found[mark] = own[0] if all(one == own[0] for one in own) else None
    axes = [axes for meta in ordered if isinstance(axes := meta.get("axes"), list)]
    found["axes"] = list(dict.fromkeys(axis for own in axes for axis in own))
    waits = [w for meta in metas if isinstance(w := meta.get("submit_timeout"), int | float)]
    if waits:
        found["submit_timeout"] = max(waits)
    found["lost_records"] = any(meta.get("lost_records") for meta in metas)
    return found


def read_ledger(whole: Path, folder: Path) -> Ledger:
    """A dataset's ledger for reading only: the parts in *folder* if there are, else *whole*."""
    if folder.is_dir():
        return DividedLedger(folder, read_only=True)
    return Ledger(whole, read_only=True)
