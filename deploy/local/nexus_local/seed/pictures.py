"""Draws what the demo's first listings show: a house, hills behind it, a sky. `command.py` uploads them.

Each follows from its number alone, so that drawing it again gives the same bytes, which the service knows again.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import pi, sin
from random import Random

from PIL import Image, ImageDraw, ImageFilter

SIZE = WIDTH, HEIGHT = 960, 640
_SMOOTH = 2
"""Drawn so much larger and then scaled down, for smooth edges."""

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Light:
    """A time of day."""

    name: str
    sky: tuple[Colour, Colour]
    """Above, and at the horizon."""
    hills: tuple[Colour, Colour]
    """The furthest, and the nearest."""
    sun: Colour
    wall: Colour
    window: Colour


LIGHTS = (
    Light(
        *("in the morning", ((150, 196, 226), (252, 226, 196)), ((170, 186, 190), (82, 122, 92))),
        *((255, 240, 205), (236, 222, 200), (96, 118, 132)),
    ),
    Light(
        *("at noon", ((70, 148, 214), (205, 232, 246)), ((150, 184, 196), (92, 150, 84))),
        *((255, 252, 232), (248, 240, 224), (84, 112, 134)),
    ),
    Light(
        *("in the evening", ((72, 62, 118), (250, 158, 98)), ((150, 96, 112), (58, 56, 74))),
        *((255, 214, 150), (92, 74, 84), (255, 206, 112)),
    ),
    Light(
        *("at night", ((14, 20, 48), (58, 74, 120)), ((44, 56, 92), (18, 26, 44))),
        *((236, 240, 250), (34, 40, 62), (255, 212, 128)),
    ),
)


@dataclass(frozen=True)
class Picture:
    """One drawing."""

    jpeg: bytes
    alt: str


def draw(number: int) -> Picture:
    """The drawing of this number."""
    chance = Random(number)  # noqa: S311 - to be repeated, not to be secret
    light = LIGHTS[number % len(LIGHTS)]
    width, height = WIDTH * _SMOOTH, HEIGHT * _SMOOTH
    image = _gradient(light.sky, width, height)
    canvas = ImageDraw.Draw(image)
    _sun(canvas, chance, light, width, height)
    for depth in range(4):
        colour = _between(*light.hills, depth / 3)
        crest = list(_crest(chance, width, height * (0.5 + 0.11 * depth), height * (0.09 - 0.015 * depth)))
        canvas.polygon([(0, height), *crest, (width, height)], fill=colour)
        if depth == 2:
            _house(canvas, chance, light, width, height)
    image = image.resize(SIZE, Image.Resampling.LANCZOS).filter(ImageFilter.SMOOTH)
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=86)
    return Picture(jpeg.getvalue(), f"A drawing: a house before hills {light.name}")


def _gradient(colours: tuple[Colour, Colour], width: int, height: int) -> Image.Image:
    column = Image.new("RGB", (1, 256))
    column.putdata([_between(*colours, min(1.0, step / 150)) for step in range(256)])
    return column.resize((width, height), Image.Resampling.BICUBIC)


def _between(one: Colour, other: Colour, part: float) -> Colour:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _sun(canvas: ImageDraw.ImageDraw, chance: Random, light: Light, width: int, height: int) -> None:
    x, y, radius = width * chance.uniform(0.12, 0.88), height * chance.uniform(0.14, 0.36), height * 0.06
    for ring in range(6, 0, -1):
        halo = radius * (1 + 0.22 * ring)
        colour = _between(light.sun, _between(*light.sky, y / height * 1.7), 0.4 + 0.1 * ring)
        canvas.ellipse((x - halo, y - halo, x + halo, y + halo), fill=colour)
    canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=light.sun)


def _crest(chance: Random, width: int, base: float, rise: float) -> Iterator[tuple[float, float]]:
    waves = [(chance.uniform(0.4, 2.6), chance.uniform(0, 2 * pi), chance.uniform(0.2, 1.0)) for _ in range(4)]
    for step in range(121):
        x = step / 120
        yield x * width, base - rise * sum(share * sin(2 * pi * often * x + shift) for often, shift, share in waves) / 2


def _house(canvas: ImageDraw.ImageDraw, chance: Random, light: Light, width: int, height: int) -> None:
    """Walls, a roof and windows; its feet stand behind the nearest hill."""
    wide, tall = width * chance.uniform(0.2, 0.34), height * chance.uniform(0.16, 0.24)
    left, top = width * chance.uniform(0.12, 0.5), height * 0.56
    foot = height * 0.92
    canvas.rectangle((left, top, left + wide, foot), fill=light.wall)
    roof, eaves = _between(light.hills[1], (120, 52, 40), 0.6), wide * 0.07
    ridge = chance.choice((0.25, 0.5))
    canvas.polygon(
        [
            *((left - eaves, top), (left + wide * ridge, top - tall * 0.7)),
            *((left + wide * (1 - ridge), top - tall * 0.7), (left + wide + eaves, top)),
        ],
        fill=roof,
    )
    places = [left + wide * share for share in (0.1, 0.36, 0.62, 0.88)]
    for x, after in pairwise(places):
        pane = (after - x) * 0.52
        canvas.rectangle((x, top + tall * 0.2, x + pane, top + tall * 0.55), fill=light.window)
