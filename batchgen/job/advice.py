"""What a job may ask for and may still surprise: texts that are cut, names that are changed."""

import re
from collections.abc import Iterator, Sequence

from batchgen.job.job import Job
from batchgen.job.names import safe_name
from batchgen.job.texts.prompt import Prompt
from batchgen.text import counted, plain

# An estimate: English has four characters to a token, other scripts down to one. From four fifths
# of the limit on a prompt may be over it.
_NEAR = 0.8
_CHOICE = re.compile(r"\{[^{}|]*\|[^{}]*\}")
# Most comments have a blank after their sign; "#1 pencil" is a part of a text that was lost.
_LOST = re.compile(r"\s+(#[^\s#].*)")


def advise(job: Job) -> Iterator[str]:
    """Sentences about *job*, the gravest first."""
    for words in (_cut_texts(job), _choices(job), _long_texts(job), _changed_names(job)):
        if words:
            yield plain(words)


def tokens(text: str) -> float:
    """The tokens of *text*, roughly."""
    ascii_ = sum(map(str.isascii, text))
    return ascii_ / 4 + (len(text) - ascii_)


def _cut_texts(job: Job) -> str:
    found = [(prompt, lost) for prompt in job.prompts if (lost := _lost(prompt))]
    if not found:
        return ""
    place, lost = found[0][0].place, found[0][1]
    return (
        f"{_number([prompt for prompt, _ in found])} may be cut short: {lost!r} in "
        f"{place.file}:{place.line} is a comment to YAML; quotes around the text keep it"
    )


def _lost(prompt: Prompt) -> str:
    """What follows the text on its line and would be a part of it in quotes."""
    place, text = prompt.place, prompt.text
    start = place.source.find(text, place.column - 1)
    found = _LOST.match(place.source, start + len(text)) if start >= 0 else None
    return found[1][:40] if found else ""


def _choices(job: Job) -> str:
    found = [(p, m[0]) for p in job.prompts if p.wild is None and (m := _CHOICE.search(p.text))]
    if not found:
        return ""
    return (
        f"{_number([prompt for prompt, _ in found])} sent with choices as they stand, such as "
        f"{found[0][1][:40]!r}; with sample: all, or a number, beside the text they are drawn from"
    )


def _long_texts(job: Job) -> str:
    limits = {m.prompt_tokens: m.id for m in job.models if m.prompt_tokens}
    most = min(limits, default=0)
    long = [p for p in job.prompts if most and tokens(p.text) > _NEAR * most]
    if not long:
        return ""
    return (
        f"{_number(long)} may be longer than the {most} tokens that {limits[most]} reads, "
        f"such as {long[0].id!r} ({len(long[0].text):,} characters)"
    )


def _changed_names(job: Job) -> str:
    used = "{prompt_id}" in job.file_name
    other = [p for p in job.prompts if used and safe_name(p.id) != p.id]
    if not other:
        return ""
    one, name = other[0].id, safe_name(other[0].id)
    return f"another id in file names for {_number(other)}, such as {name!r} for {one!r}"


def _number(prompts: Sequence[Prompt]) -> str:
    return counted(len(prompts), "prompt")
