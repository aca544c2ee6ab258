r"""Wildcards: one prompt that stands for many, for entries that say ``sample:``.

::

    {red|dark {blue|green}|}       one of these; they nest, and one may be empty
    {3::red|blue|0.5::green}       weighted: red six times as likely as green; 1 when not said
    {2$$a|b|c}  {1-2$$ and $$a|b}  so many of them, in this order, joined by ", " or what is said
    __colours__  __paint/na*__     a line of colours.txt, or of all that match, beside the job file
    {2$$__colours__}               several different lines
    \{  \|  \}  \_                 the character itself

What is none of these stays as written: a bar outside braces, and braces that hold no ``|``, ``$$``
or ``::`` of their own, so ``{name}`` and ``{{name}}`` are left for templates (``\{name\}`` becomes
``{{name}}``, the same text in the end). Only the first ``::`` of an option is a weight, and ``$$``
after a weight is text. A single brace needs a backslash.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from batchgen.job.source.wording import describe
from batchgen.job.texts.choices import WEIGHT_ONE, Choice, Phrase, Pick, choice, phrase, pick
from batchgen.job.values.axes import MAX_TEXT, too_long
from batchgen.job.values.templates import NAME

MAX_DEPTH = 20
MAX_PICKED = 20
MAX_CELLS = 1_000_000  # options times picked ones, over a whole text: the size of the tables

_WORD = "(?:[^\\W_]|[*?./-])++"
_TOKEN = re.compile(
    rf"\\\{{(?P<kept>{NAME})\\\}}"
    r"|\\(?P<escaped>[{|}_])"
    rf"|(?P<placeholder>\{{\{{{NAME}\}}\}}|\{{{NAME}\}})"
    rf"|__(?P<list>{_WORD}(?:_{_WORD})*+)__"
    r"|(?P<mark>[{|}]|::|\$\$)"
)
_PICK = re.compile(
    r"\s*+([0-9]{1,9})(?:-([0-9]{1,9}))?\s*+\$\$"
    r"(?:((?:[^{}|\\$]|\\[{|}_]|\\(?![{|}_])|\$(?!\$))*+)\$\$)?"
)
_ESCAPE = re.compile(r"\\([{|}_])")
_WEIGHT = re.compile(r"[0-9]{1,6}(\.[0-9]{0,6})?|\.[0-9]{1,6}", re.ASCII)

Find = Callable[[str], Choice]
"""Gives the lines of the word list of that name; raises WildcardError, the offset left at 0."""


class WildcardError(ValueError):
    """A text with wildcards is wrong; ``offset`` counts characters from its start."""

    def __init__(self, message: str, offset: int = 0) -> None:
        """Say *message* about what stands at *offset*."""
        super().__init__(message)
        self.message = message
        self.offset = offset


def parse(text: str, find: Find) -> Phrase:
    """The tree of the prompt *text*; *find* gives its word lists.

    Raises WildcardError at the first mistake, and for a text of more than MAX_TEXT characters,
    braces more than MAX_DEPTH deep, or a text that may become longer than MAX_TEXT.
    """
    return _Parser(text, find).read()[1]


def parse_line(text: str, find: Find) -> tuple[int, Phrase]:
    """The weight and the tree of a line of a word list; raises WildcardError as ``parse`` does."""
    return _Parser(text, find, in_list=True).read()


@dataclass(kw_only=True)
class _Group:
    """What has been read of the braces opened last; the whole text is one too."""

    start: int
    option: int
    """Where the option that is being read starts."""
    picked: tuple[int, int, str] | None = None
    is_choice: bool = False
    weight: int | None = None
    parts: list[str | Choice | Pick] = field(default_factory=list)
    options: list[tuple[int, Phrase]] = field(default_factory=list)

    def close(self) -> None:
        """Add the option that has been read."""
        self.options.append((self.weight or WEIGHT_ONE, phrase(self.parts)))
        self.weight, self.parts = None, []


class _Parser:
    """Reads a text once from left to right; the open braces are a list, not calls."""

    def __init__(self, text: str, find: Find, *, in_list: bool = False) -> None:
        self._text = text
        self._find = find
        self._in_list = in_list
        self._at = 0
        self._cells = 0
        self._open = [_Group(start=0, option=0)]

    def read(self) -> tuple[int, Phrase]:
        if len(self._text) > MAX_TEXT:
            raise WildcardError(too_long(self._text))
        while token := _TOKEN.search(self._text, self._at):
            group = self._open[-1]
            if token.start() > self._at:
                group.parts.append(self._text[self._at : token.start()])
            self._at = token.end()
            if token["mark"]:
                self._mark(token["mark"], token.start(), group)
            elif token["list"]:
                group.parts.append(self._lines(token["list"], token.start()))
            elif token["kept"]:
                group.parts.append(f"{{{{{token['kept']}}}}}")
            else:
                group.parts.append(token["escaped"] or token["placeholder"])
        group = self._open[-1]
        if len(self._open) > 1:
            message = r"expected a } for this {, got the end of the text; a brace alone is \{"
            raise WildcardError(message, group.start)
        if self._at < len(self._text):
            group.parts.append(self._text[self._at :])
        group.close()
        weight, whole = group.options[0]
        if whole.size > MAX_TEXT:
            message = f"this may become a text of more than {MAX_TEXT:,} characters"
            raise WildcardError(f"{message}; shorten it, or what it nests")
        return weight, whole

    def _mark(self, mark: str, start: int, group: _Group) -> None:
        """Take a sign for what it is where it stands; otherwise it is text."""
        inside = len(self._open) > 1
        if mark == "{":
            self._begin(start)
        elif mark == "}" and inside:
            self._end(group)
        elif mark == "}":
            message = r"expected a { before this }; a brace alone is \}"
            raise WildcardError(message, start)
        elif mark == "|" and inside:
            group.close()
            group.is_choice, group.option = True, self._at
        elif mark == "::" and (inside or self._in_list) and group.weight is None:
            group.weight = self._weight(group.option, start)
            group.is_choice, group.parts = True, []
        elif mark == "$$" and inside and not (group.options or group.picked or group.weight):
            got = describe(self._text[group.option : start])
            message = f"expected a number or a range such as 1-3 before $$, got {got}"
            raise WildcardError(f"{message}; write 1:: before a text with $$ in it", group.option)
        else:
            group.parts.append(mark)

    def _begin(self, start: int) -> None:
        if len(self._open) > MAX_DEPTH:
            raise WildcardError(f"expected braces at most {MAX_DEPTH} deep", start)
        group = _Group(start=start, option=self._at)
        if found := _PICK.match(self._text, self._at):
            low, high = int(found[1]), int(found[2] or found[1])
            if low > high or high > MAX_PICKED:
                wrong = f"expected a number or a range from 0 to {MAX_PICKED} before $$"
                got = "-".join(filter(None, found.groups()[:2]))
                raise WildcardError(f"{wrong}, got {got}", self._at)
            separator = ", " if found[3] is None else _ESCAPE.sub(r"\1", found[3])
            group.picked, group.is_choice = (low, high, separator), True
            group.option = self._at = found.end()
        self._open.append(group)

    def _end(self, group: _Group) -> None:
        self._open.pop()
        parts = self._open[-1].parts
        if not group.is_choice:
            parts += "{", *group.parts, "}"
            return
        plain = group.weight is None and not group.options
        group.close()
        only = group.options[0][1].parts
        if group.picked and plain and len(only) == 1 and isinstance(only[0], Choice):
            self._picked(group, only[0])  # the lines of a list, or the options of braces
        elif group.picked:
            self._picked(group, choice(group.options))
        else:
            parts.append(choice(group.options))

    def _picked(self, group: _Group, among: Choice) -> None:
        low, high, separator = group.picked or (1, 1, "")
        number = len(among.options)
        if high > number:
            message = f"expected at least {high} options to pick from, got {number}"
            raise WildcardError(message, group.start)
        self._cells += number * high
        if self._cells > MAX_CELLS:
            raise WildcardError("too much to pick from; pick fewer, or from less", group.start)
        self._open[-1].parts.append(pick(among, low=low, high=high, separator=separator))

    def _weight(self, start: int, end: int) -> int:
        written = self._text[start:end]
        number = written.strip()
        weight = int(Decimal(number) * WEIGHT_ONE) if _WEIGHT.fullmatch(number) else 0
        if not weight:
            wrong = "expected a weight above 0, of at most 6 digits before and after the point,"
            hint = "write 1:: before a text with :: in it"
            raise WildcardError(f"{wrong} before ::, got {describe(written)}; {hint}", start)
        return weight

    def _lines(self, name: str, start: int) -> Choice:
        try:
            return self._find(name)
        except WildcardError as error:
            raise WildcardError(error.message, start) from None
