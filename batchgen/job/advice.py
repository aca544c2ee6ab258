"""What a job may ask for and may still surprise: prompts near a limit, names that are changed."""

from collections.abc import Iterator, Sequence

from batchgen.job.load import Job
from batchgen.job.names import safe_name
from batchgen.job.prompt import Prompt

# An estimate: English has four characters to a token, other scripts down to one. From four fifths
# of the limit on a prompt may be over it.
_NEAR = 0.8


def advise(job: Job) -> Iterator[str]:
    """Sentences about *job*, the gravest first."""
    limits = {m.prompt_tokens: m.id for m in job.models if m.prompt_tokens}
    most = min(limits, default=0)
    if most and (long := [p for p in job.prompts if tokens(p.text) > _NEAR * most]):
        yield (
            f"{_number(long)} may be longer than the {most} tokens that {limits[most]} reads, "
            f"such as {long[0].id!r} ({len(long[0].text):,} characters)"
        )
    if "{prompt_id}" in job.file_name:
        other = [p for p in job.prompts if safe_name(p.id) != p.id]
        if other:
            one, name = other[0].id, safe_name(other[0].id)
            yield f"another id in file names for {_number(other)}, such as {name!r} for {one!r}"


def tokens(text: str) -> float:
    """The tokens of *text*, roughly."""
    plain = sum(map(str.isascii, text))
    return plain / 4 + (len(text) - plain)


def _number(prompts: Sequence[Prompt]) -> str:
    return "1 prompt" if len(prompts) == 1 else f"{len(prompts):,} prompts"
