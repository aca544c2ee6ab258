"""Contact sheets: for each two axes a picture of the dataset, one down, the other across."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from batchgen.dataset.folder import refuse_odd, storage_error
from batchgen.report.contents import Contents, Row, is_aside, number, read_contents
from batchgen.report.thumbs import ASIDE, MISSING, make_thumbnails, thumbnail_of
from batchgen.text import plain

if TYPE_CHECKING:
    from PIL import Image, ImageFont

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_MOST_DOWN, _MOST_ACROSS = 24, 16  # cells on one sheet, about 40 megapixels
_MOST_SHEETS = 50  # of two axes; a prompt with a thousand seeds has more
_MOST_WITHIN = 9  # images of one cell
_HEIGHTS = (180, 130, 110, 96)  # pixels of an image, by how many stand side by side
_GAP, _EDGE, _HEAD, _NAME = 14, 32, 84, 190
_PAPER, _INK, _MUTED, _WELL, _ALERT = "#fbfaf8", "#1d1b18", "#6f6a62", "#ebe8e3", "#b23b2e"

Cell = Sequence[Row]


@dataclass(frozen=True, kw_only=True)
class _Table:
    """A dataset by two of its axes."""

    down: str
    across: str
    rows: Sequence[object]
    columns: Sequence[object]
    cells: Mapping[tuple[object, object], Cell]

    def parts(self) -> Iterator[tuple[Sequence[object], Sequence[object]]]:
        """The rows and columns of each sheet that has anything on it."""
        for top in range(0, len(self.rows), _MOST_DOWN):
            rows = self.rows[top : top + _MOST_DOWN]
            for left in range(0, len(self.columns), _MOST_ACROSS):
                columns = self.columns[left : left + _MOST_ACROSS]
                if any((row, column) in self.cells for row in rows for column in columns):
                    yield rows, columns


def write_sheets(
    root: str | Path,
    *,
    failures: Iterable[Row] | None = None,
    standing: Mapping[str, object] | None = None,
) -> list[Path]:
    """Draw the contact sheets of the dataset in *root* into its folder ``sheets``.

    There is one for each two axes that vary apart from each other, or else one for the first axis.
    Returns their paths: ``DOWN-ACROSS.png``, numbered where one sheet is not enough, at the most
    fifty for two axes. Flagged images are blurred. *failures* and *standing* are as for a report.
    Raises UsageError when there is no dataset, StorageError when it cannot be read or written.
    """
    contents = read_contents(Path(root), failures=failures, standing=standing)
    make_thumbnails(contents.folder, contents.images)
    axes = [axis for axis in contents.axes if axis != "image_index"]
    tables = [_table(contents, *pair) for pair in combinations(axes, 2)]
    # Where each value of one axis has a single one of the other, a table shows nothing.
    tables = [each for each in tables if len(each.cells) > max(len(each.rows), len(each.columns))]
    tables = tables or [_table(contents, axes[0] if axes else "prompt_id", "")]
    folder = contents.folder.root / "sheets"
    written = []
    refuse_odd(folder, folder=True)
    try:
        folder.mkdir(exist_ok=True)
        for table in tables:
            parts = list(table.parts())[:_MOST_SHEETS]
            for number, part in enumerate(parts, 1):
                name = "-".join(filter(None, (table.down, table.across)))
                name += f"-{number:02}" if len(parts) > 1 else ""
                path = folder / f"{_file_name(name)}.png"
                refuse_odd(path)
                _draw(contents, table, *part).save(path, "PNG")
                written.append(path)
    except OSError as error:
        raise storage_error(error, folder) from None
    return written


def _file_name(text: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in text)[:100]


def _table(contents: Contents, down: str, across: str) -> _Table:
    cells: dict[tuple[object, object], list[Row]] = {}
    for row in (*contents.images, *contents.failures):
        cells.setdefault((row.get(down), row.get(across)), []).append(row)
    for cell in cells.values():
        cell.sort(key=lambda row: [_rank(row.get(axis)) for axis in contents.axes])
    return _Table(
        down=down,
        across=across,
        rows=_values(down, [key for key, _ in cells]),
        columns=_values(across, [key for _, key in cells]),
        cells=cells,
    )


def _values(axis: str, found: Sequence[object]) -> list[object]:
    """Prompts as they landed, others by their values."""
    values = list(dict.fromkeys(found))
    return values if axis == "prompt_id" else sorted(values, key=_rank)


def _rank(value: object) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return 0, float(value), ""
    return (2, 0.0, "") if value is None else (1, 0.0, str(value))


def _draw(
    contents: Contents, table: _Table, rows: Sequence[object], columns: Sequence[object]
) -> "Image.Image":
    from PIL import Image, ImageDraw, ImageFont

    found = [table.cells[key] for row in rows for column in columns
             if (key := (row, column)) in table.cells]  # fmt: skip
    most = min(_MOST_WITHIN, max(map(len, found)))
    abreast = most if most <= 4 else 3
    height = _HEIGHTS[abreast - 1]
    wide = max(_width(line, height) for cell in found for line in _lines(cell, abreast))
    tall = -(-most // abreast) * (height + 4) - 4
    size = (
        2 * _EDGE + _NAME + len(columns) * (wide + _GAP),
        2 * _EDGE + _HEAD + len(rows) * (tall + _GAP),
    )
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    small, large = ImageFont.load_default(15), ImageFont.load_default(24)
    title = _fitting(_title(contents, table), large, sheet.width - 2 * _EDGE)
    draw.text((_EDGE, _EDGE - 6), title, _INK, large)
    for at, column in enumerate(columns):
        x = _EDGE + _NAME + at * (wide + _GAP)
        draw.text((x, _EDGE + _HEAD - 26), _fitting(column, small, wide), _MUTED, small)
    for line, row in enumerate(rows):
        y = _EDGE + _HEAD + line * (tall + _GAP)
        draw.text((_EDGE, y + 4), _fitting(row, small, _NAME - 16), _INK, small)
        for at, column in enumerate(columns):
            x = _EDGE + _NAME + at * (wide + _GAP)
            cell = table.cells.get((row, column), ())
            for below, side_by_side in enumerate(_lines(cell, abreast)):
                _draw_line(contents, sheet, side_by_side, (x, y + below * (height + 4), height))
            if len(cell) > _MOST_WITHIN:
                more = f"{len(cell) - _MOST_WITHIN:,} more"
                draw.text((x + 4, y + tall - 20), more, _INK, small, stroke_width=3,
                          stroke_fill=_PAPER)  # fmt: skip
    return sheet


def _title(contents: Contents, table: _Table) -> str:
    name = str(contents.standing.get("job") or contents.folder.root.resolve().name)
    axes = " by ".join(filter(None, (table.down, table.across)))
    rest = [axis for axis in contents.axes if axis not in {table.down, table.across}]
    within = f"   within a cell: {', '.join(rest)}" if rest else ""
    return f"{name}   {axes}{within}"


def _fitting(value: object, font: "Font", width: int) -> str:
    """*value* in one line of at most so many pixels."""
    text = plain("–" if value is None else str(value))[:160]
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _lines(cell: Cell, abreast: int) -> list[Cell]:
    shown = cell[:_MOST_WITHIN]
    return [shown[at : at + abreast] for at in range(0, len(shown), abreast)]


def _width(line: Cell, height: int) -> int:
    return sum(_box(row, height) for row in line) + 4 * (len(line) - 1)


def _box(row: Row, height: int) -> int:
    """The width of an image of that height."""
    width, tall = number(row, "width") or 1.0, number(row, "height") or 1.0
    shape = width / tall
    return round(height * min(2.4, max(0.4, shape)))


def _draw_line(
    contents: Contents, sheet: "Image.Image", line: Cell, place: tuple[int, int, int]
) -> None:
    from PIL import ImageDraw, ImageFont

    x, y, height = place
    draw = ImageDraw.Draw(sheet)
    for row in line:
        width = _box(row, height)
        picture = _picture(contents, row, (width, height))
        if picture is None:
            state = row.get("state")
            absent = ASIDE if is_aside(row) else MISSING
            word = str(row.get("error_class") or state) if state else absent
            font = ImageFont.load_default(13)
            draw.rectangle((x, y, x + width - 1, y + height - 1), _WELL, _ALERT)
            draw.text((x + 6, y + 6), _fitting(word, font, width - 12), _ALERT, font)
        else:
            sheet.paste(picture, (x + (width - picture.width) // 2,
                                  y + (height - picture.height) // 2))  # fmt: skip
        x += width + 4


def _picture(contents: Contents, row: Row, size: tuple[int, int]) -> "Image.Image | None":
    """The thumbnail of an image, blurred when it is flagged; None when there is none."""
    from PIL import Image, ImageFilter

    sha256 = row.get("sha256")
    if not isinstance(sha256, str):
        return None
    try:
        with Image.open(thumbnail_of(contents.folder, sha256), formats=("WEBP",)) as thumbnail:
            made = thumbnail.convert("RGB")
    except (OSError, SyntaxError):
        return None
    made.thumbnail(size)
    return made.filter(ImageFilter.GaussianBlur(14)) if row.get("nsfw") is True else made
