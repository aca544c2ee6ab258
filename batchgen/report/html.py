"""The report as one HTML page: every word escaped, nothing from elsewhere, no code but our own.

The page says so itself: its Content-Security-Policy lets only the style and the script run whose
hashes it names, images come from the dataset's folder, and there is nothing else it may load.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from batchgen.report.contents import Contents, Row
from batchgen.report.figures import figures
from batchgen.report.headline import headline

_PAGE = files("batchgen.report") / "page"
_SCRIPTS = ("data", "filters", "tiles", "grid", "matrix", "failures", "viewer", "main")
_LAST = ("state", "error_class", "error", "paid", "file")


def page(contents: Contents, file_states: Sequence[str], now: datetime) -> Iterator[str]:
    """The page in pieces; *file_states* has for each image what its file is."""
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_asset),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    style = _asset("page.css")
    script = "{\n" + "\n".join(_asset(f"{name}.js") for name in _SCRIPTS) + "}\n"
    return environment.get_template("page.html").generate(
        head=headline(contents, now),
        figures=figures(contents),
        data=_data(contents, file_states),
        # Our own files, and nothing that was put together: the only texts that are not escaped.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy=_policy(style, script),
    )


def _asset(name: str) -> str:
    return (_PAGE / name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    rules = {
        "default-src": "'none'",
        "img-src": "'self' data:",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _data(contents: Contents, file_states: Sequence[str]) -> Mapping[str, Any]:
    """What the script shows: images, then variants without all of theirs, column by column."""
    images: list[Row] = [
        {**row, "state": "saved", "file": state}
        for row, state in zip(contents.images, file_states, strict=True)
    ]
    others: list[Row] = [
        {**row, "file_name": None, "state": "short" if row.get("state") == "saved" else
         row.get("state")}
        for row in contents.failures
    ]  # fmt: skip
    items = [*images, *others]
    names = dict.fromkeys(name for row in items for name in row if name not in _LAST)
    return {
        "count": len(items),
        "columns": {name: _column([row.get(name) for row in items]) for name in (*names, *_LAST)},
        "axes": contents.axes or ["prompt_id"],
    }


def _column(values: list[object]) -> Mapping[str, object]:
    """*values*, each text once where they repeat: prompts may be long."""
    numbers: dict[tuple[type, object], int] = {}
    at = [numbers.setdefault((type(value), value), len(numbers)) for value in values]
    if len(numbers) > len(values) / 2:
        return {"list": values}
    return {"values": [value for _, value in numbers], "at": at}
