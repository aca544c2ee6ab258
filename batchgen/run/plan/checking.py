"""What a job asks of models that are not built in, held against the service's catalog."""

import difflib
import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchgen.api.catalog import (
    MAX_CATALOG_BYTES,
    CatalogModel,
    CatalogParameter,
    read_catalog,
    read_model,
)
from batchgen.api.wire import WireError
from batchgen.dataset.folder import write_whole
from batchgen.errors import ExitCode, StorageError, UsageError
from batchgen.job.expansion.unique import prove_names
from batchgen.job.load import Job
from batchgen.job.models import MODELS
from batchgen.job.source.wording import describe, did_you_mean
from batchgen.job.values.axes import Values
from batchgen.job.values.canonical import digest
from batchgen.ledger.entry import State
from batchgen.ledger.store import Ledger
from batchgen.run.pace.experience import cache_file
from batchgen.run.pace.stop import Stop
from batchgen.run.plan.planning import ToDo
from batchgen.run.terms.access import Access

if TYPE_CHECKING:
    from batchgen.api.client import ServiceClient
    from batchgen.run.terms.service import Service

log = logging.getLogger(__name__)

Told = tuple[CatalogModel | str, ...]
"""What the catalog says of each model, or why it was not asked."""
CACHE_SECONDS = 3600.0  # as the service's own clients keep it
MAX_TOLD = 5  # mistakes in one sentence
MAX_CHOICES_TOLD = 20
_KINDS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "string": ("a text", (str,)),
    "integer": ("a whole number", (int,)),
    "number": ("a number", (int, float)),
    "boolean": ("true or false", (bool,)),
    "array": ("a list", (list, tuple)),
    "object": ("a mapping", (dict,)),
}


async def check_model(
    job: Job, access: Access, service: "Service", to_do: ToDo, stop: Stop
) -> None:
    """Refuse what the models of *job* do not accept, before anything is submitted.

    Raises UsageError; when there is paid work to collect, the submits end instead. A catalog that
    cannot be had is a warning.
    """
    if not _unlisted(job) or not _submits(to_do):
        return
    try:
        told = await stop.unless_left(ask_catalog(job, access, service.client))
    except UsageError as error:
        refuse(error, to_do, stop)
    else:
        for words in told or ():
            if isinstance(words, str):
                log.warning("%s", words)


def check_names(job: Job, ledger: Ledger) -> None:
    """Refuse a plan in which two images have one name; of a plan that was proved once, for free.

    Raises UsageError.
    """
    plan = digest([job.variants.fingerprint(), job.file_name])
    if ledger.meta().get("names") != plan:
        prove_names(job)
        ledger.set_meta(names=plan)


def refuse(error: UsageError, to_do: ToDo, stop: Stop) -> None:
    """Raise *error*, or let the submits end with it when there is paid work to collect."""
    paid = to_do.ledger.entries(State.COMPLETED, State.SUBMITTED, State.UNCERTAIN)
    if next(iter(paid), None) is None:
        raise error
    stop.no_more_submits(ExitCode.INCOMPLETE, str(error))


async def check_plan(job: Job, access: Access) -> Told:
    """Hold *job*, of models that are not built in, against the catalog as :func:`ask_catalog`."""
    if not access.base_url:
        return _held(job, {model_id: {} for model_id in MODELS})
    from batchgen.api.client import ServiceClient

    wait = job.pace.poll_timeout
    async with ServiceClient(
        access.base_url, access.key, submit_timeout=wait, poll_timeout=wait
    ) as client:
        return await ask_catalog(job, access, client)


async def ask_catalog(job: Job, access: Access, client: "ServiceClient") -> Told:
    """Hold *job* against the catalog; a text says why that could not be done for a model.

    Raises UsageError for a model that is not listed and for what a model does not accept. A
    catalog of the past hour is taken from the user's cache folder, but refuses nothing by itself.
    """
    file = _cache(access)
    kept = _read(file)
    if kept is not None:
        with suppress(WireError, UsageError):
            return _held(job, read_catalog(kept))
    answer = await client.catalog()
    try:
        catalog = {} if isinstance(answer, str) else read_catalog(answer)
    except WireError as error:
        catalog, answer = {}, str(error)
    if isinstance(answer, str):
        why = f"the service's catalog cannot be had ({answer})"
        return tuple(_unchecked(model, why) for model in _unlisted(job))
    _keep(file, answer)
    return _held(job, catalog)


def _submits(to_do: ToDo) -> bool:
    """Whether anything is left to be submitted."""
    counts = to_do.ledger.counts()
    new = to_do.planned - counts.total() + counts[State.PLANNED]
    return new > 0 or next(to_do.again(), None) is not None


def _unlisted(job: Job) -> list[str]:
    """The models of *job* that are not built in."""
    return [model.id for model in job.models if not model.documented]


def _held(job: Job, catalog: Mapping[str, Mapping[str, Any]]) -> Told:
    told: list[CatalogModel | str] = []
    wrong: list[str] = []
    for model_id in _unlisted(job):
        entry = catalog.get(model_id)
        if entry is None:
            near = difflib.get_close_matches(model_id, catalog, n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            wrong.append(f"the service's catalog lists no model {model_id!r}{hint}")
            continue
        model = read_model(model_id, entry)
        if model.parameters:
            wrong += dict.fromkeys(_wrong(job, model))
            told.append(model)
        else:
            why = "the service's catalog tells no parameters of it"
            told.append(_unchecked(model_id, why))
    if wrong:
        more = f"; and {len(wrong) - MAX_TOLD} more" if len(wrong) > MAX_TOLD else ""
        raise UsageError("; ".join(wrong[:MAX_TOLD]) + more)
    return tuple(told)


def _unchecked(model_id: str, why: str) -> str:
    return f"{why}: the parameters of {model_id} are sent unchecked"


def _wrong(job: Job, model: CatalogModel) -> Iterator[str]:
    """What the job asks for and the model does not accept."""
    asked: set[str] = set()
    for model_id, name, values in job.variants.asked():
        if model_id != model.id:
            continue
        asked.add(name)
        parameter = model.parameters.get(name)
        if parameter is None:
            known = sorted(model.parameters)
            near = did_you_mean(name, known) or f"; it has {_list(known)}"
            yield f"{model.id} has no parameter {name!r}{near}"
        else:
            refused = (_refusal(value, parameter) for value in _telling(values, parameter))
            if message := next(filter(None, refused), None):
                yield f"{name} of {model.id}: {message}"
    for name, parameter in model.parameters.items():
        if parameter.required and parameter.default is None and name not in asked:
            yield f"{model.id} requires the parameter {name!r}, which the job does not set"


def _telling(values: Values, parameter: CatalogParameter) -> Sequence[object]:
    """The values that tell whether all are accepted: a range may have a thousand million."""
    if not isinstance(values.items, range):
        return values
    # One more than there are choices cannot all be among them.
    return (*islice(values, len(parameter.choices) + 1), values[-1])


def _refusal(value: object, parameter: CatalogParameter) -> str | None:
    if _fits(value, parameter):
        return None
    if parameter.choices:
        near = did_you_mean(str(value), map(str, parameter.choices), cutoff=0.8)
        return f"expected one of {_list(parameter.choices)}, got {describe(value)}{near}"
    words = _KINDS.get(parameter.kind or "", ("a number", ()))[0]
    low, high = parameter.minimum, parameter.maximum
    limits = "" if low is None else f" from {low}"
    limits += "" if high is None else f" up to {high}" if low is None else f" to {high}"
    return f"expected {words}{limits}, got {describe(value)}"


def _fits(value: object, parameter: CatalogParameter) -> bool:
    if parameter.choices:
        return any(_same(value, own) for own in parameter.choices)
    types = _KINDS.get(parameter.kind or "", ("", ()))[1]
    # bool is an int to Python, and not to the service.
    if types and not (isinstance(value, types) and (bool in types) is isinstance(value, bool)):
        return False
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    low, high = parameter.minimum, parameter.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def _same(value: object, own: object) -> bool:
    return value == own and isinstance(value, bool) is isinstance(own, bool)


def _list(words: Sequence[object]) -> str:
    more = len(words) - MAX_CHOICES_TOLD
    return ", ".join(map(str, words[:MAX_CHOICES_TOLD])) + (f" and {more} more" if more > 0 else "")


def _cache(access: Access) -> Path | None:
    """Where the catalog of a service is kept; a local service started here has none."""
    if not access.base_url:
        return None
    address = hashlib.sha256(access.base_url.rstrip("/").encode()).hexdigest()[:16]
    return cache_file().with_name(f"catalog-{address}.json")


def _read(file: Path | None) -> bytes | None:
    with suppress(OSError):
        if file and file.is_file():
            found = file.stat()
            fresh = abs(time.time() - found.st_mtime) < CACHE_SECONDS
            return file.read_bytes() if fresh and found.st_size <= MAX_CATALOG_BYTES else None
    return None


def _keep(file: Path | None, body: bytes) -> None:
    if file is None:
        return
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(file, [body.decode()])
    except (OSError, StorageError) as error:
        log.debug("the catalog is not kept: %s", error)
