"""From a job file to a checked :class:`Job`, or all that is wrong with it at once."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from batchgen.errors import JobError, Problem
from batchgen.job.axes import AxisError, Values, read_values, refuse, unknown_parameter
from batchgen.job.document import MAX_PROBLEMS, Document, Keys, read_document
from batchgen.job.explain import check_shape
from batchgen.job.models import Model, find_model, refuse_model_id
from batchgen.job.names import KEY_DIGITS, image_name, refuse_pattern
from batchgen.job.prompts import Prompt, PromptReader
from batchgen.job.shape import JobFile
from batchgen.job.units import read_duration, read_failures, read_size, read_window
from batchgen.job.variants import Box, Variant, Variants, boxes_of, distinct_boxes


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a run may go and what it may cost; each has a twin among the options of ``run``."""

    tier: str | None
    """Of the account, which the next two stand above: a name of TIERS; None for not said."""
    concurrency: int | None
    """Predictions in flight; None for what the tier allows."""
    rate: float | None
    """Images per minute; None for what the tier allows."""
    retries: int | None
    """Times that a submit turned away, or a download, is tried again; None for our own numbers."""
    budget_micros: int | None
    """Millionths of a US dollar for the dataset as a whole."""
    max_duration: float | None
    """Seconds after which no new submits are sent."""
    max_failures: str | int | None
    """Variants that may fail in one run: a count or a percentage."""
    limit: int | None
    """Submits in one run."""
    window: str | None
    """The part of the day in which submits may be sent, local time; None for all of it."""
    min_free: int | None
    """Bytes that the disk has to keep free; None for our own number."""
    resubmit_uncertain: bool
    """Whether submits that may have been paid are sent again."""
    poll_min_interval: float | None
    """Seconds between two polls of one prediction, at the least; None for the service's own."""
    submit_timeout: float
    poll_timeout: float
    download_timeout: float
    prediction_timeout: float
    """Seconds, as the three above."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """The validated content of a job file."""

    name: str
    service: str
    model: Model
    prompts: tuple[Prompt, ...]
    axes: tuple[str, ...]
    """Names of the parameters with several values, in the order of the file."""
    variants: Variants
    pace: Pace
    folder: Path
    """Where the dataset goes unless the command line says otherwise."""
    file_name: str
    """Pattern of an image's name below ``images/``."""
    csv_safe: bool
    """Whether ``manifest.csv`` is kept from being run by a spreadsheet."""
    file: Path
    resolved: Mapping[str, object]
    """The content of the job file with every default filled in, as plain values."""
    warnings: tuple[Problem, ...] = ()

    def image_count(self) -> int:
        """How many images the whole job asks for, by multiplication."""
        counts = self.variants.tally("num_images").items()
        return sum(self.model.images({"num_images": asked}) * n for (asked,), n in counts)

    def image_name(self, variant: Variant, index: int, *, whole_key: bool = False) -> str:
        """The path of an image without its ending; *whole_key* for one whose name is taken."""
        return image_name(
            self.file_name,
            prompt_id=variant.prompt_id,
            key=variant.key if whole_key else variant.key[:KEY_DIGITS],
            index=index,
            values=self.model.with_defaults(variant.request),
        )


def load_job(path: str | Path) -> Job:
    """Read and check the job file at *path*.

    Raises JobError with every problem found, UsageError when there is no such file.
    """
    document = read_document(Path(path))
    shape, problems = check_shape(document)
    loader = _Loader(document=document, shape=shape, file=Path(path), problems=problems)
    job = loader.load()
    if job is None or loader.problems:
        raise JobError(loader.problems)
    return job


@dataclass(kw_only=True)
class _Loader:
    """Checks what the shape cannot: parameters against the model, and the size of it all."""

    document: Document
    shape: JobFile
    file: Path
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def load(self) -> Job | None:
        model = self._model()
        axes, params = self._axes(model), self._params(model)
        reader = PromptReader(
            document=self.document,
            model=model,
            folder=self.file.parent,
            most=self.shape.run.max_variants,
        )
        prompts = reader.read(self.shape.prompts)
        self.problems += reader.problems
        self.warnings += reader.warnings
        self._file_name(model, prompts, {*axes, *params})
        self._limits()
        if self.problems:
            return None
        if not prompts:
            self._refuse(("prompts",), "expected at least one prompt, got files without any")
            return None
        boxes = boxes_of(prompts, axes=axes, params=params, model=model)
        if not self._guard(boxes, prompts, axes):
            return None
        return self._job(model, prompts, axes, self._distinct(boxes))

    def _model(self) -> Model:
        wrong = refuse_model_id(self.shape.model)
        if wrong:
            self._refuse(("model",), wrong)
        model = find_model(self.shape.model)
        if not wrong and not model.documented:
            self._warn(
                ("model",),
                f"nothing is known of the model {model.id}: its parameters are sent unchecked "
                "and its price is unknown",
            )
        return model

    def _axes(self, model: Model) -> dict[str, Values]:
        axes: dict[str, Values] = {}
        for name, raw in self.shape.matrix.items():
            path = ("matrix", name)
            if self._refuse_name(path, model):
                continue
            try:
                axes[name], warnings = read_values(raw, name=name, model=model)
            except AxisError as error:
                where = path if error.index is None else (*path, error.index)
                self._refuse(where, str(error))
                continue
            for warning in warnings:
                self._warn(path, warning)
        return axes

    def _params(self, model: Model) -> dict[str, object]:
        params = self.shape.params
        for name, value in params.items():
            if self._refuse_name(("params", name), model) or not model.documented:
                continue
            try:
                refuse(value, name=name, model=model)
            except AxisError as error:
                several = "; several values go under matrix" if isinstance(value, list) else ""
                self._refuse(("params", name), f"{error}{several}")
        return params

    def _refuse_name(self, path: Keys, model: Model) -> bool:
        name = str(path[-1])
        wrong = unknown_parameter(name, model)
        if name == "prompt":
            wrong = "prompts go under the key prompts"
        if wrong:
            self._add(self.document.place(path, of_key=True).problem(wrong))
        return wrong is not None

    def _file_name(self, model: Model, prompts: tuple[Prompt, ...], used: set[str]) -> None:
        known = {p.name for p in model.parameters} | used | {"seed", "aspect_ratio"}
        known.update(name for prompt in prompts for name in prompt.values)
        wrong = refuse_pattern(self.shape.output.file_name, known - {"prompt", "negative_prompt"})
        if wrong:
            self._refuse(("output", "file_name"), wrong)

    def _guard(
        self, boxes: list[Box], prompts: tuple[Prompt, ...], axes: Mapping[str, Values]
    ) -> bool:
        asked = sum(box.size for box in boxes)
        most = min(self.shape.run.max_variants, sys.maxsize)  # a sequence cannot be longer
        if asked <= most:
            return True
        factors = [f"{len(prompts):,} prompt{'s' if len(prompts) > 1 else ''}"]
        # With values of its own on a prompt, there is no one product to show.
        if asked == len(prompts) * math.prod(map(len, axes.values())):
            factors += [f"{len(v):,} {n}" for n, v in axes.items()]
        self._refuse(
            ("matrix",) if axes else ("prompts",),
            f"expected at most {most:,} variants, got {asked:,} ({' × '.join(factors)}); "
            "raise run.max_variants if you want them all",
        )
        return False

    def _distinct(self, boxes: list[Box]) -> Sequence[Box]:
        distinct = distinct_boxes(boxes, self.shape.model)
        asked, left = sum(b.size for b in boxes), sum(b.size for b in distinct)
        if left < asked:
            self._warn(
                ("prompts",),
                f"{asked - left:,} of {asked:,} variants ask for the same as an earlier one; "
                "each request is made once",
            )
        return distinct

    def _job(
        self,
        model: Model,
        prompts: tuple[Prompt, ...],
        axes: Mapping[str, Values],
        boxes: Sequence[Box],
    ) -> Job:
        own = {name: None for p in prompts for name, v in p.values.items() if len(v) > 1}
        folder = self.shape.output.dir or f"out/{self.shape.name}"
        return Job(
            name=self.shape.name,
            service=self.shape.service,
            model=model,
            prompts=prompts,
            axes=tuple({**dict.fromkeys(axes), **own}),
            variants=Variants(boxes, model),
            pace=self._pace(),
            folder=self.file.parent / folder,
            file_name=self.shape.output.file_name,
            csv_safe=self.shape.output.csv_safe,
            file=self.file,
            resolved=self.shape.model_dump(mode="json"),
            warnings=tuple(self.warnings),
        )

    def _pace(self) -> Pace:
        run, wait = self.shape.run, self.shape.run.timeouts
        return Pace(
            tier=run.tier,
            concurrency=run.concurrency,
            rate=run.rate,
            retries=run.retries,
            # Rounded down: a budget is never exceeded by a fraction of its last cent.
            budget_micros=None if run.budget is None else math.floor(round(run.budget * 1e6, 3)),
            max_duration=None if run.max_duration is None else read_duration(run.max_duration),
            max_failures=self.shape.run.max_failures,
            limit=run.limit,
            window=run.window,
            min_free=None if run.min_free is None else read_size(run.min_free),
            resubmit_uncertain=run.on_uncertain == "resubmit",
            poll_min_interval=run.poll.min_interval,
            submit_timeout=wait.submit,
            poll_timeout=wait.poll,
            download_timeout=wait.download,
            prediction_timeout=wait.prediction,
        )

    def _limits(self) -> None:
        run = self.shape.run
        readers: tuple[tuple[str, Callable[[str], object]], ...] = (
            ("max_duration", read_duration),
            ("max_failures", partial(read_failures, 0)),
            ("window", read_window),
            ("min_free", read_size),
        )
        for name, reader in readers:
            try:
                _ = getattr(run, name) is not None and reader(getattr(run, name))
            except ValueError as error:
                self._refuse(("run", name), str(error))

    def _refuse(self, path: Keys, message: str) -> None:
        self._add(self.document.place(path).problem(message))

    def _add(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise JobError(self.problems)

    def _warn(self, path: Keys, message: str) -> None:
        self.warnings.append(self.document.place(path).problem(message))
