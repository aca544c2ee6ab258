"""A prompt as it is once it was read, and the id of one that was given none."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from batchgen.job.source.files import Place
from batchgen.job.source.wording import describe
from batchgen.job.texts.choices import Phrase, stream
from batchgen.job.values.axes import Values
from batchgen.job.values.canonical import digest
from batchgen.job.values.templates import Template

_WORD = re.compile("[a-z0-9]+")
MAX_ID_CHARACTERS = 100
_SPELLED = 1_000_000  # values of a range that an id is made of; of more, its two ends
_TRIES = 100  # for each text that is to be drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One entry under ``prompts``: its id, its text, and what is set on it alone."""

    id: str
    text: str
    values: Mapping[str, Values]
    place: Place
    again: Place | None = None
    """Where it is named once more, under ``add``, with other values."""
    wild: Phrase | None = None
    """The text as a tree, for one with wildcards."""
    sample: int | None = None
    """How many different texts are drawn from the tree; None for all it stands for."""

    def count(self) -> int:
        """How many texts it makes, placeholders apart."""
        if self.wild is None:
            return 1
        return self.wild.count() if self.sample is None else self.sample

    def templates(self, job_seed: int) -> Iterator[Template]:
        """Its texts. What is drawn depends on *job_seed*, the prompt's id and the draw alone.

        A text that was drawn before is drawn again, so there may be fewer than asked for when
        most of the weight is on few of them.
        """
        if self.wild is None:
            yield Template(self.text)
        elif self.sample is None:
            yield from (Template(self.wild.nth(number)) for number in range(self.wild.count()))
        else:
            drawn: set[bytes] = set()
            for number in range(self.sample * _TRIES):
                text = self.wild.draw(stream(job_seed, self.id, number))
                if (name := blake2b(text.encode(), digest_size=16).digest()) not in drawn:
                    drawn.add(name)
                    yield Template(text)
                if len(drawn) == self.sample:
                    return


def refuse_id(value: object) -> str | None:
    """Say why *value* cannot be an id, or None when it can, or is none."""
    if value is None:
        return None
    if not isinstance(value, str):
        return f"expected an id as a text, got {describe(value)}"
    if not value or len(value) > MAX_ID_CHARACTERS:
        return f"expected an id of 1 to {MAX_ID_CHARACTERS} characters, got {len(value)}"
    return None if value.isprintable() else "expected an id of visible characters"


def made_id(text: str, values: Mapping[str, Values]) -> str:
    """An id for a prompt without one: its first words and a hash of all of it."""
    plain = text
    if not text.isascii():
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = [word.group() for word in islice(_WORD.finditer(plain.lower()), 6)]
    spelled = {n: list(v) if len(v) <= _SPELLED else v.listed() for n, v in values.items()}
    content = {"text": text, "values": spelled}
    return "-".join([*words, digest(content)[:6]])[-60:].strip("-")
