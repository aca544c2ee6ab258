"""The head of a report: what the dataset is, how it stands, and its numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from batchgen.report.contents import Contents, number
from batchgen.text import counted, duration, money, size


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number and what it counts."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Headline:
    """What stands above everything else."""

    title: str
    about: str
    kind: str
    """``good``, ``wait`` or ``bad``: how the verdict is coloured."""
    word: str
    """The class of the last run, or that one goes on."""
    verdict: str
    numbers: Sequence[Number]


def headline(contents: Contents, now: datetime) -> Headline:
    """The headline of *contents* as they were at *now*."""
    standing = contents.standing
    models = list(dict.fromkeys(str(row.get("model")) for row in contents.images))
    model = f"{len(models)} models" if len(models) > 3 else ", ".join(models)
    service = {"local": "the local service", "wavespeed": "WaveSpeedAI"}.get(
        str(standing.get("service")), ""
    )
    asof = now.astimezone(UTC)
    kind, word, verdict = _verdict(contents)
    if contents.every > 1:
        verdict += (
            f" Shown here, and counted in the figures, are {len(contents.images):,} of the images, "
            "picked at random."
        )
    return Headline(
        title=str(standing.get("job") or contents.folder.root.resolve().name),
        about=" · ".join(
            part for part in (model, service, f"{asof.day} {asof:%B %Y, %H:%M} UTC") if part
        ),
        kind=kind,
        word=word,
        verdict=verdict,
        numbers=_numbers(contents),
    )


def _verdict(contents: Contents) -> tuple[str, str, str]:
    standing = contents.standing
    planned = _count(standing, "planned")
    if not planned:
        return "wait", "no run has ended", f"{counted(contents.total, 'image')} so far."
    saved, short = _count(standing, "saved"), _count(standing, "short")
    others = [
        f"{count:,} {words}"
        for name, words in (
            ("failed", "failed"), ("uncertain", "may have been paid"), ("expired", "expired"),
            ("short", "with fewer images than asked for"), ("pending", "still to do"),
        )
        if (count := _count(standing, name))
    ]  # fmt: skip
    chosen = "" if standing.get("only") in (None, "[]") else " chosen"  # a list as a page shows it
    sentence = f"{saved - short:,} of {planned:,}{chosen} variants have all their images"
    sentence += f": {', '.join(others)}." if others else "."
    if standing.get("running"):
        return "wait", "running", sentence
    if not others:
        return "good", "ok", sentence
    word = str(standing.get("class") or "incomplete")
    if why := str(standing.get("why") or ""):
        sentence += f" {why[0].upper()}{why[1:]}."
    return "bad", word if word != "ok" else "incomplete", sentence


def _numbers(contents: Contents) -> list[Number]:
    standing, images = contents.standing, contents.images
    flagged = sum(row.get("nsfw") is True for row in images)
    bytes_ = int(sum(number(row, "bytes") or 0 for row in images))
    share = f"{100 * flagged / len(images):.0f} %" if images else ""
    shown = " of those shown" if contents.every > 1 else ""
    numbers = [
        Number(name="images", value=f"{contents.total:,}"),
        Number(name=f"flagged NSFW{shown}", value=f"{flagged:,}", note=share),
    ]
    if images and not shown:
        numbers[0] = replace(numbers[0], note=size(bytes_))
    if planned := _count(standing, "planned"):
        saved = Number(
            name="variants saved",
            value=f"{_count(standing, 'saved'):,}",
            note=f"of {planned:,}",
        )
        numbers.insert(0, saved)
    if contents.failures:
        numbers.append(Number(name="without all images", value=f"{len(contents.failures):,}"))
    if standing.get("service") == "local":
        numbers.append(Number(name="spent", value="$0", note="local service"))
    elif (spent := number(standing, "spent_usd")) is not None:
        numbers.append(Number(name="spent", value=money(spent)))
    if (left := number(standing, "seconds_left")) is not None:
        numbers.append(Number(name="left", value=duration(left)))
    elif (wall := number(standing, "wall_s")) is not None:
        numbers.append(Number(name="last run", value=duration(wall)))
    return numbers


def _count(standing: Mapping[str, object], name: str) -> int:
    return int(number(standing, name) or 0)
