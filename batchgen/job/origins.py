"""Where each value of one variant came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from batchgen.job.expansion.boxes import REPEAT, Box
from batchgen.job.job import Job
from batchgen.job.models import DEFAULT_MODEL, find_model
from batchgen.job.source.files import Place
from batchgen.job.values.sweep import MODEL
from batchgen.job.values.templates import Template
from batchgen.job.variants import Variant

_DRAWN = "drawn from the content of the variant"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One value and its source."""

    name: str
    value: object
    sent: bool
    """Whether it is part of the request."""
    place: Place | None
    """Where it was written, if it was."""
    why: str
    """The way to it in the job file, such as ``matrix.seed``, or words."""


def origins(job: Job, position: int) -> tuple[Variant, list[Origin]]:
    """The variant at *position* in the order of the job file, and the origin of all it has.

    Raises IndexError.
    """
    variant, box = job.variants.at(position)
    return variant, [*_request(job, variant, box), *_unsent(job, variant, box)]


def _request(job: Job, variant: Variant, box: Box) -> Iterator[Origin]:
    yield _origin(job, MODEL, variant.model, box, variant.model == DEFAULT_MODEL)
    for name, value in variant.request.items():
        if name == "prompt":
            drawn = f", {box.prompt.count():,} texts of it" if box.prompt.wild else ""
            why = _way(job, box.prompt.place) + drawn
            yield Origin(name=name, value=value, sent=True, place=box.prompt.place, why=why)
        else:
            yield _origin(job, name, value, box, name == "seed")


def _unsent(job: Job, variant: Variant, box: Box) -> Iterator[Origin]:
    words: Mapping[str, object] = {**box.grid.words, **box.grid.labels, **box.own}
    used = Template(box.prompt.text).names | set(variant.labels)
    for name in (name for name in words if name in used and name != MODEL):
        yield _origin(job, name, words[name], box, False, sent=False)
    if (repeat := box.grid.values.get(REPEAT)) is not None:
        place = job.source.place(("repeat",), of_key=True)
        why = f"repeat, {len(repeat):,} times"
        value = variant.labels["repeat"]
        yield Origin(name="repeat", value=value, sent=False, place=place, why=why)
    for parameter in find_model(variant.model).parameters:
        if parameter.name not in variant.request and parameter.default is not None:
            yield Origin(
                name=parameter.name,
                value=parameter.default,
                sent=False,
                place=None,
                why="the model's default",
            )


def _origin(
    job: Job, name: str, value: object, box: Box, given_by_us: bool, *, sent: bool = True
) -> Origin:
    """The origin of a value; a rule that sets it beats the prompt, that all others."""
    place = box.grid.places.get(name)
    ruled = place is not None and (job.source.path_at(place) or ("",))[0] == "set"
    if name in box.prompt.values and not ruled:
        place = _own(job, name, box)
    if place is None:
        why = _DRAWN if name == "seed" else "the default" if given_by_us else ""
        return Origin(name=name, value=value, sent=sent, place=None, why=why)
    return Origin(name=name, value=value, sent=sent, place=place, why=_way(job, place))


def _own(job: Job, name: str, box: Box) -> Place:
    """Where a prompt's own value stands: in its entry, or in its row of a file."""
    for place in filter(None, (box.prompt.again, box.prompt.place)):
        path = job.source.path_at(place)
        if path and job.source.has((*path[:2], name)):
            return job.source.place((*path[:2], name), of_key=True)
    return box.prompt.place


def _way(job: Job, place: Place) -> str:
    path = job.source.path_at(place)
    return "a row of the file" if path is None else ".".join(map(str, path))
