"""From a job file to a checked :class:`Job`, or all that is wrong with it at once."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from batchgen.errors import JobError, Problem
from batchgen.job.expansion.boxes import Box
from batchgen.job.expansion.distinct import distinct_boxes
from batchgen.job.expansion.expand import TOO_MANY, Expander, TooManyError, no_value
from batchgen.job.expansion.rules import RuleReader
from batchgen.job.grammar.explain import check_shape
from batchgen.job.grammar.keeping import pattern_of, read_packing, wrong_keeping, wrong_patterns
from batchgen.job.grammar.pace import read_pace, wrong_limits
from batchgen.job.grammar.shape import JobFile
from batchgen.job.job import Job, Pace
from batchgen.job.models import MODELS, find_model, refuse_model_id
from batchgen.job.order.balance import balanced
from batchgen.job.order.shuffle import Shuffled
from batchgen.job.outline import Outline, outline
from batchgen.job.source.document import MAX_PROBLEMS, Keys, Source
from batchgen.job.source.files import Place, folder_of
from batchgen.job.source.layers import read_layers
from batchgen.job.source.wording import did_you_mean
from batchgen.job.texts.prompt import Prompt
from batchgen.job.texts.prompts import PromptReader
from batchgen.job.texts.wordlists import WordLists
from batchgen.job.values.matrix import MatrixReader, groups
from batchgen.job.values.sweep import MADE_COLUMNS, MODEL, Link, Sweep
from batchgen.job.values.templates import Template
from batchgen.job.variants import Variants

__all__ = ["Job", "Pace", "load_job"]

_COUNTED = 200_000  # variants at most, which takes some seconds


def load_job(path: str | Path, *, overrides: Sequence[str] = (), only: Sequence[str] = ()) -> Job:
    """Read and check the job file at *path*.

    *overrides* are texts such as ``matrix.seed=0..7``, which replace values of the file; *only* are
    texts such as ``seed=3``, which leave out all other variants. Both have the grammar of the file.
    Raises JobError with every problem found, UsageError when there is no such file.
    """
    document = read_layers(Path(path), overrides)
    shape, problems = check_shape(document)
    loader = _Loader(document=document, shape=shape, file=Path(path), only=only, problems=problems)
    job = loader.load()
    if job is None or loader.problems:
        raise JobError(loader.problems)
    return job


@dataclass(kw_only=True)
class _Loader:
    """Checks what the shape cannot: names, values, texts, and the size of it all."""

    document: Source
    shape: JobFile
    file: Path
    only: Sequence[str]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def load(self) -> Job | None:
        """The job; None when something is wrong with it."""
        matrix = MatrixReader(document=self.document, shape=self.shape)
        axes, params, words = matrix.axes(), matrix.params(), matrix.words()
        links = [axis for axis in axes if isinstance(axis, Link) and axis.name]
        reader = PromptReader(
            document=self.document,
            known=matrix.known,
            most=self.shape.run.max_variants,
            links={str(link.name): frozenset(str(p.name) for p in link.points) for link in links},
            lists=cache(WordLists),
        )
        prompts = reader.read(self.shape.prompts)
        reader.known = matrix.base
        added = reader.added(self.shape.add, prompts)
        self._models(matrix)
        for found in (matrix, reader):
            self._add(*found.problems)
            self.warnings += found.warnings
        sweep = Sweep(
            model=self.shape.model,
            axes=axes,
            params=params,
            words=words,
            unsent=self._unsent(matrix, reader, links),
            repeat=self.shape.repeat,
            job_seed=self.shape.job_seed,
            places=self._places(),
        )
        sweep = self._ruled(sweep, matrix, (*prompts, *added))
        shown = outline(sweep, prompts, added)
        self._file_name(matrix, sweep, shown)
        for path, wrong in (*wrong_limits(self.shape.run), *wrong_keeping(self.shape.output)):
            self._refuse(path, wrong)
        if self.problems:
            self._lost_words((*prompts, *added))
            return None
        if not prompts:
            self._refuse(("prompts",), "expected at least one prompt, got files without any")
            return None
        boxes = self._boxes(sweep, shown, prompts, added)
        return None if boxes is None else self._job(prompts, shown, self._distinct(boxes))

    def _models(self, matrix: MatrixReader) -> None:
        wrong = refuse_model_id(self.shape.model)
        if wrong:
            self._refuse((MODEL,), wrong)
        for model in matrix.every.models:
            if not model.documented and refuse_model_id(model.id) is None:
                own = model.id == self.shape.model
                self._warn(
                    (MODEL,) if own else ("matrix", MODEL),
                    f"nothing is known of the model {model.id}: its parameters are sent unchecked "
                    f"and its price is unknown{did_you_mean(model.id, MODELS, cutoff=0.8)}",
                )

    def _unsent(
        self, matrix: MatrixReader, reader: PromptReader, links: Iterable[Link]
    ) -> frozenset[str]:
        """The names that are no parameters: a text uses them. Others must be parameters."""
        undecided = dict(matrix.undecided)
        for name, places in reader.undecided.items():
            undecided[name] = [*undecided.get(name, ()), *places]
        words = {MODEL, *self.shape.vars, *(str(link.name) for link in links)}
        for name, places in undecided.items():
            if name in MADE_COLUMNS:
                taken = f"{name} is a column of the manifest already; choose another name"
                self._add(*(place.problem(taken) for place in places))
            elif name in reader.placeholders:
                words.add(name)
            elif name not in words and (wrong := matrix.known.unknown(name)):
                if "did you mean" not in wrong:
                    wrong += f"; a word of the texts stands in one of them, as {{{name}}}"
                self._add(*(place.problem(wrong) for place in places))
        return frozenset(words)

    def _lost_words(self, prompts: Iterable[Prompt]) -> None:
        """Placeholders that nothing can fill: the others need a job without mistakes."""
        written = [self.document.value] if isinstance(self.document.value, dict) else []
        if not all(isinstance(w.get(n, {}), dict) for w in written for n in ("matrix", "vars")):
            return  # what would fill them cannot be read
        lists = [raw for raw in self.shape.matrix.values() if isinstance(raw, list)]
        points = [item for raw in lists for item in raw if isinstance(item, dict)]
        brought = [params for item in points if isinstance(params := item.get("params"), dict)]
        parts = [self.shape.matrix, self.shape.vars, self.shape.params, *groups(self.shape)]
        named = {name for part in (*parts, *points, *brought) for name in part} | {MODEL, "seed"}
        for prompt in prompts:
            known = {*named, *prompt.values}
            for name, offset in Template(prompt.text).missing(known):
                place = prompt.place.within(prompt.text, offset)
                self._refuse_at(place, no_value(name, known))

    def _places(self) -> dict[str, Place]:
        """Where the values are given that hold for all."""
        place = self.document.place
        found = {name: place(("vars", name), of_key=True) for name in self.shape.vars}
        found |= {name: place(("params", name), of_key=True) for name in self.shape.params}
        found |= {name: place(("matrix", name), of_key=True) for name in self.shape.matrix}
        return {**found, MODEL: place((MODEL,))} if self.document.has((MODEL,)) else found

    def _ruled(self, sweep: Sweep, matrix: MatrixReader, prompts: Sequence[Prompt]) -> Sweep:
        reader = RuleReader(
            document=self.document,
            known=matrix.known,
            sweep=sweep,
            prompts=prompts,
        )
        rules = (*reader.read(self.shape), *reader.only(self.only))
        self._add(*reader.problems)
        return sweep.with_rules(rules)

    def _file_name(self, matrix: MatrixReader, sweep: Sweep, shown: Outline) -> None:
        known = {p.name for model in matrix.known.models for p in model.parameters}
        known |= {*shown.columns, *sweep.params, "seed", "aspect_ratio", MODEL}
        for path, wrong in wrong_patterns(self.shape.output, known, set(shown.columns)):
            self._refuse(path, wrong)

    def _boxes(
        self,
        sweep: Sweep,
        shown: Outline,
        prompts: Sequence[Prompt],
        added: Sequence[Prompt],
    ) -> list[Box] | None:
        """The boxes of all variants, unless there are too many of them, or none."""
        named = frozenset(shown.columns)
        main = Expander(sweep=sweep, refuse=self._refuse_at, columns=named)
        more = Expander(sweep=sweep.bare(), refuse=self._refuse_at, columns=named, every_axis=False)
        asked = sum(map(main.size, prompts)) + sum(map(more.size, added))
        most = min(self.shape.run.max_variants, sys.maxsize)  # a sequence cannot be longer
        # Not every text of a prompt with wildcards need use every word: these are counted.
        wild = asked <= _COUNTED and any(prompt.wild for prompt in prompts)
        if asked > most and not sweep.rules and not wild:
            self._too_many(asked, most, shown)
            return None
        try:
            boxes = [box for prompt in prompts for box in main.boxes(prompt)]
            more.texts = main.texts
            boxes += [box for prompt in added for box in more.boxes(prompt)]
        except TooManyError:
            self._too_many(asked, most, shown)
            return None
        asked = sum(box.size for box in boxes)
        if asked > most:
            self._too_many(asked, most, shown)
        elif not boxes and not self.problems:
            rule = sweep.rules[-1]  # no variants without a rule
            with_these = " with these values, got none" if rule.only else ", but all are left out"
            self._refuse_at(rule.place, f"expected at least one variant{with_these}")
        for number, rule in enumerate(sweep.rules):
            if number not in main.touched and not rule.only and not self.problems:
                none = "no variant has all of these values, so nothing changes"
                self.warnings.append(rule.place.problem(none))
        self.warnings += [place.problem(few) for place, few in (*main.short, *more.short)]
        return None if self.problems else boxes

    def _too_many(self, asked: int, most: int, shown: Outline) -> None:
        wrong = (
            f"expected at most {most:,} variants, got {asked:,} ({shown.product(asked)}); "
            "raise run.max_variants if you want them all"
        )
        path = ("matrix",) if self.shape.matrix else ("prompts",)
        self._refuse(path, wrong if asked > most else TOO_MANY)

    def _distinct(self, boxes: list[Box]) -> Sequence[Box]:
        distinct = distinct_boxes(boxes)
        asked, left = sum(b.size for b in boxes), sum(b.size for b in distinct)
        if left < asked:
            self._warn(
                ("prompts",),
                f"{asked - left:,} of {asked:,} variants ask for the same as an earlier one; "
                "each request is made once",
            )
        return distinct

    def _job(self, prompts: tuple[Prompt, ...], shown: Outline, boxes: Sequence[Box]) -> Job:
        output = self.shape.output
        variants = self._ordered(Variants(boxes), shown)
        return Job(
            name=self.shape.name,
            service=self.shape.service,
            models=tuple(find_model(name) for name in variants.models()),
            source=self.document,
            prompts=prompts,
            outline=shown,
            variants=variants,
            pace=read_pace(self.shape.run),
            folder=self._folder(),
            address=self._address(),
            file_name=pattern_of(output, len(variants)),
            packing=read_packing(output),
            csv_safe=output.csv_safe,
            file=self.file,
            resolved={**self.shape.model_dump(mode="json"), "extends": []},
            only=tuple(self.only),
            warnings=tuple(self.warnings),
        )

    def _ordered(self, variants: Variants, shown: Outline) -> Variants:
        if self.shape.order == "file":
            return variants
        order: Sequence[int] | None = None
        if self.shape.order == "balanced":
            order = balanced(variants.boxes, shown.columns)
            if order is None:
                self._warn(("order",), "too many prompts have values of their own; shuffled")
        return variants.ordered(order or Shuffled(len(variants), self.shape.job_seed))

    def _address(self) -> str:
        """Of the bucket that the dataset goes to; empty when it goes to a folder."""
        written = self.shape.output.dir or ""
        return written if "://" in written else ""

    def _folder(self) -> Path:
        """Of the dataset; a path stands for itself beside the file in which it was written."""
        written = self.shape.output.dir
        if written is None or self._address():
            return self.file.parent / f"out/{self.shape.name}"
        return folder_of(self.document.place(("output", "dir"))) / written

    def _refuse(self, path: Keys, message: str) -> None:
        self._refuse_at(self.document.place(path), message)

    def _refuse_at(self, place: Place, message: str) -> None:
        self._add(place.problem(message))

    def _add(self, *problems: Problem) -> None:
        self.problems += problems
        if len(self.problems) >= MAX_PROBLEMS:
            raise JobError(self.problems)

    def _warn(self, path: Keys, message: str) -> None:
        self.warnings.append(self.document.place(path).problem(message))
