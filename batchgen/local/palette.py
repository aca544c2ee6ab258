"""Colours of the drawn pictures: moods written in OKLCH, where equal steps look equal."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

Colour = tuple[int, int, int]
Lch = tuple[float, float, float]
"""Lightness 0 to 1, chroma 0 to about 0.3, hue in degrees."""


def oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """The nearest sRGB colour, each part clipped to 0 to 255 (Ottosson's OKLab, 2020)."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _encoded(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _encoded(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _encoded(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """*first* with *share* (0 to 1) of *second*."""
    r, g, b = (round(x + (y - x) * share) for x, y in zip(first, second, strict=True))
    return r, g, b


def _encoded(linear: float) -> int:
    value = min(1.0, max(0.0, linear))
    curved = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return round(255 * curved)


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The colours one picture is made of."""

    night: bool
    sky: tuple[Colour, Colour, Colour]
    """From the top down."""
    light: Colour
    """Sun, moon and lit windows."""
    far: Colour
    near: Colour
    paper: Colour
    ink: Colour
    accents: tuple[Colour, ...]
    """Six that go together, in an order of their own for every picture."""


@dataclass(frozen=True, kw_only=True)
class _Mood:
    words: str
    """A prompt with one of these words gets this mood."""
    sky: tuple[Lch, Lch, Lch]
    light: Lch
    far: Lch
    near: Lch
    paper: Lch
    accents: tuple[Lch, ...]
    night: bool = False


_MOODS: Mapping[str, _Mood] = MappingProxyType(
    {
        "dawn": _Mood(
            words="dawn morning sunrise pink pastel spring blossom",
            sky=((0.72, 0.075, 275), (0.83, 0.075, 355), (0.93, 0.06, 75)),
            light=(0.97, 0.06, 90),
            far=(0.74, 0.06, 320),
            near=(0.36, 0.07, 290),
            paper=(0.95, 0.018, 60),
            accents=(
                (0.72, 0.12, 10), (0.62, 0.11, 290), (0.80, 0.09, 60),
                (0.55, 0.09, 330), (0.76, 0.07, 200), (0.45, 0.08, 285),
            ),
        ),
        "noon": _Mood(
            words="noon day bright clear blue summer sky sea ocean beach coast",
            sky=((0.66, 0.11, 245), (0.81, 0.075, 230), (0.95, 0.025, 200)),
            light=(0.99, 0.03, 100),
            far=(0.76, 0.05, 215),
            near=(0.42, 0.09, 150),
            paper=(0.965, 0.012, 110),
            accents=(
                (0.62, 0.13, 245), (0.78, 0.13, 85), (0.64, 0.17, 35),
                (0.55, 0.10, 160), (0.86, 0.06, 210), (0.40, 0.09, 255),
            ),
        ),
        "golden": _Mood(
            words="golden sunset afternoon warm sunlight late autumn fall amber vintage nostalgic",
            sky=((0.68, 0.07, 50), (0.82, 0.10, 70), (0.94, 0.08, 92)),
            light=(0.985, 0.06, 98),
            far=(0.77, 0.08, 65),
            near=(0.36, 0.07, 45),
            paper=(0.95, 0.03, 85),
            accents=(
                (0.64, 0.15, 45), (0.78, 0.14, 80), (0.50, 0.12, 30),
                (0.58, 0.08, 130), (0.88, 0.07, 85), (0.42, 0.06, 200),
            ),
        ),
        "dusk": _Mood(
            words="dusk evening twilight purple violet romantic dream dreamy",
            sky=((0.33, 0.10, 285), (0.57, 0.14, 345), (0.83, 0.12, 60)),
            light=(0.95, 0.09, 80),
            far=(0.56, 0.11, 330),
            near=(0.22, 0.06, 290),
            paper=(0.93, 0.025, 30),
            accents=(
                (0.60, 0.17, 15), (0.48, 0.14, 295), (0.77, 0.14, 65),
                (0.68, 0.12, 345), (0.36, 0.09, 280), (0.82, 0.06, 40),
            ),
            night=True,
        ),
        "night": _Mood(
            words="night moon moonlit midnight dark neon star stars space galaxy cyberpunk",
            sky=((0.17, 0.045, 265), (0.28, 0.075, 268), (0.47, 0.085, 250)),
            light=(0.95, 0.05, 95),
            far=(0.40, 0.07, 255),
            near=(0.13, 0.03, 265),
            paper=(0.90, 0.02, 250),
            accents=(
                (0.70, 0.13, 205), (0.84, 0.12, 90), (0.62, 0.18, 340),
                (0.45, 0.12, 275), (0.75, 0.10, 160), (0.33, 0.09, 262),
            ),
            night=True,
        ),
        "frost": _Mood(
            words="snow snowy winter ice icy frost cold arctic mist misty fog foggy white",
            sky=((0.72, 0.045, 240), (0.86, 0.025, 225), (0.96, 0.012, 80)),
            light=(0.99, 0.02, 95),
            far=(0.84, 0.025, 230),
            near=(0.40, 0.045, 240),
            paper=(0.97, 0.006, 230),
            accents=(
                (0.60, 0.07, 235), (0.78, 0.045, 215), (0.66, 0.09, 30),
                (0.45, 0.06, 250), (0.88, 0.025, 200), (0.55, 0.05, 170),
            ),
        ),
        "meadow": _Mood(
            words="forest garden meadow green tree trees leaf leaves grass jungle moss nature",
            sky=((0.80, 0.05, 190), (0.89, 0.045, 150), (0.96, 0.045, 110)),
            light=(0.985, 0.05, 105),
            far=(0.80, 0.06, 150),
            near=(0.34, 0.065, 155),
            paper=(0.96, 0.02, 110),
            accents=(
                (0.56, 0.10, 145), (0.72, 0.11, 120), (0.70, 0.13, 55),
                (0.42, 0.07, 165), (0.84, 0.07, 105), (0.60, 0.12, 20),
            ),
        ),
        "clay": _Mood(
            words="clay desert terracotta sand earth brick rust wood wooden leather coffee",
            sky=((0.78, 0.055, 195), (0.90, 0.035, 95), (0.95, 0.05, 75)),
            light=(0.97, 0.07, 80),
            far=(0.78, 0.075, 55),
            near=(0.42, 0.10, 38),
            paper=(0.94, 0.025, 75),
            accents=(
                (0.60, 0.13, 38), (0.74, 0.10, 65), (0.46, 0.09, 30),
                (0.62, 0.06, 190), (0.87, 0.05, 75), (0.38, 0.04, 220),
            ),
        ),
        "lagoon": _Mood(
            words="lagoon lake river water teal tropical underwater rain glass modern future",
            sky=((0.50, 0.085, 215), (0.70, 0.085, 195), (0.91, 0.06, 150)),
            light=(0.97, 0.07, 105),
            far=(0.68, 0.08, 195),
            near=(0.28, 0.06, 220),
            paper=(0.955, 0.015, 180),
            accents=(
                (0.58, 0.10, 200), (0.76, 0.10, 170), (0.70, 0.16, 40),
                (0.40, 0.08, 225), (0.86, 0.09, 95), (0.62, 0.13, 0),
            ),
        ),
    }
)  # fmt: skip


def choose_palette(words: frozenset[str], theme: random.Random, chance: random.Random) -> Palette:
    """The mood a word of the prompt names, else one drawn from *theme*; *chance* shades it."""
    named = [mood for mood in _MOODS.values() if words & frozenset(mood.words.split())]
    mood = theme.choice(named or list(_MOODS.values()))
    turn = theme.uniform(-10, 10) + chance.uniform(-6, 6)
    accents = [_turned(lch, turn) for lch in mood.accents]
    chance.shuffle(accents)
    top, middle, low = _all(mood.sky, turn)
    return Palette(
        night=mood.night,
        sky=(top, middle, low),
        light=oklch(*mood.light),
        far=_turned(mood.far, turn),
        near=_turned(mood.near, turn),
        paper=_turned(mood.paper, turn),
        ink=oklch(min(0.32, mood.near[0]), mood.near[1] * 0.8, mood.near[2] + turn),
        accents=tuple(accents),
    )


def _all(colours: Sequence[Lch], turn: float) -> list[Colour]:
    return [_turned(lch, turn) for lch in colours]


def _turned(lch: Lch, turn: float) -> Colour:
    return oklch(lch[0], lch[1], lch[2] + turn)
