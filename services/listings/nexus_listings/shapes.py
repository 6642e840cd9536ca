"""Places on the globe that a search can ask for: a point with its surroundings, a box, a polygon.

`search/schemas.py` reads them from the query string, `search/queries.py` turns them into conditions.
"""

import math
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple, TypeVar

EARTH_RADIUS_KM = 6371.0088
"""The mean radius of the sphere that distances are measured on."""
FARTHEST_KM = 20_015
"""No two places are farther apart."""
MOST_CORNERS = 100

_CELL_BITS = 16
"""Per axis: a cell is 0.0055 degrees of longitude wide and 0.0027 degrees of latitude high."""
RANGES = 8
"""More would fit a box better and take the planner longer."""

T = TypeVar("T")


class Point(NamedTuple):
    """A place in degrees, WGS 84."""

    latitude: float
    longitude: float


class Box(NamedTuple):
    """Between two parallels and two meridians. With `west` over `east` it crosses the 180th meridian."""

    west: float
    south: float
    east: float
    north: float


class Span(NamedTuple):
    """Consecutive cells, both ends included."""

    first: int
    last: int


def point(text: str) -> Point:
    """Read `lat,lng`."""
    return _on_earth(*_numbers(text, 2, "lat,lng"))


def box(text: str) -> Box:
    """Read `west,south,east,north`, the order of GeoJSON (RFC 7946)."""
    west, south, east, north = _numbers(text, 4, "west,south,east,north")
    _on_earth(south, west)
    _on_earth(north, east)
    if south >= north:
        raise ValueError("south must be below north: the order is west,south,east,north")
    if west == east:
        raise ValueError("west and east must differ")
    return Box(west, south, east, north)


def polygon(text: str) -> tuple[Point, ...]:
    """Read `lat,lng;lat,lng;...`: the corners in order, the first of them not repeated (but forgiven) at the end."""
    if text.count(";") > MOST_CORNERS:
        raise ValueError(f"must have at most {MOST_CORNERS} corners")
    corners = [point(corner) for corner in text.split(";")]
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()
    if not 3 <= len(corners) <= MOST_CORNERS:
        raise ValueError(f"must have 3 to {MOST_CORNERS} corners")
    if not _is_simple(corners):
        raise ValueError("its sides must not touch or cross each other")
    return tuple(corners)


def around(center: Point, kilometres: float) -> Box:
    """A box that holds everything within this distance."""
    angle = min(kilometres / EARTH_RADIUS_KM, math.pi)
    reach = math.degrees(angle) + 1e-9
    south, north = center.latitude - reach, center.latitude + reach
    if south <= -90 or north >= 90:  # a pole is within: so are all meridians
        return Box(-180, max(south, -90), 180, min(north, 90))
    wide = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(center.latitude))))) + 1e-9
    return Box(_wrapped(center.longitude - wide), south, _wrapped(center.longitude + wide), north)


def bounds(corners: Sequence[Point]) -> Box:
    """The box around a polygon."""
    latitudes, longitudes = zip(*corners, strict=True)
    return Box(min(longitudes), min(latitudes), max(longitudes), max(latitudes))


def chord(kilometres: float) -> float:
    """The straight line through a sphere of radius 1 below a way over its surface."""
    return 2 * math.sin(min(kilometres / EARTH_RADIUS_KM, math.pi) / 2)


def kilometres(chord: float) -> float:
    """The way over the surface above such a line."""
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, chord / 2))


def covering(area: Box) -> list[Span]:
    """`RANGES` ranges of cells (as `cell_of` in the database numbers them) that hold the whole box.

    The globe is quartered again and again; always the largest piece that sticks out of the box is quartered next.
    """
    windows = [_cells(part) for part in _unwrapped(area)]
    starts, ends = {0}, {1 << 2 * _CELL_BITS}  # of all pieces; one that starts where another ends is joined to it
    ragged = [(0, 0, 0)]  # (depth, x, y) of the pieces that stick out: the shallowest, so the largest, comes first
    while ragged:
        depth, x, y = heappop(ragged)
        whole = _span(depth, x, y)
        below = [(depth + 1, 2 * x + right, 2 * y + down) for down in (0, 1) for right in (0, 1)]
        quarters = {piece: _span(*piece) for piece in below if any(_touches(piece, window) for window in windows)}
        finer_starts = starts - {whole.first} | {quarter.first for quarter in quarters.values()}
        finer_ends = ends - {whole.last + 1} | {quarter.last + 1 for quarter in quarters.values()}
        if len(finer_starts - finer_ends) > RANGES:
            break
        starts, ends = finer_starts, finer_ends
        for piece in quarters:
            if not any(_fits(piece, window) for window in windows):
                heappush(ragged, piece)
    joined = zip(sorted(starts - ends), sorted(ends - starts), strict=True)
    return _parted([Span(start, end - 1) for start, end in joined])


def _numbers(text: str, count: int, shape: str) -> list[float]:
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f"must be {shape}, in degrees")
    return numbers


def _on_earth(latitude: float, longitude: float) -> Point:
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError("latitudes are between -90 and 90, longitudes between -180 and 180")
    return Point(latitude, longitude)


def _wrapped(longitude: float) -> float:
    return (longitude + 180) % 360 - 180


def _pairs(items: Sequence[T]) -> Iterator[tuple[T, T]]:
    """Each with the next, the last with the first."""
    return zip(items, (*items[1:], items[0]), strict=True)


def _is_simple(corners: Sequence[Point]) -> bool:
    """Neighbouring sides meet in their corner alone, and no others meet at all."""
    if len(set(corners)) < len(corners):
        return False
    sides = list(_pairs(corners))
    count = len(sides)
    for first in range(count):
        (a, b), (_, c) = sides[first], sides[(first + 1) % count]
        if _turn(a, b, c) == 0 and (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1]) < 0:
            return False  # the next side goes back over this one
        for second in range(first + 2, count):
            if (second + 1) % count != first and _meet(*sides[first], *sides[second]):
                return False
    return True


def _turn(a: Point, b: Point, c: Point) -> float:
    """Positive: c lies to one side of the line from a to b; negative: to the other; zero: on it."""
    return (b[1] - a[1]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[1] - a[1])


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    touching = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(turn == 0 and _within(*three) for turn, three in zip(turns, touching, strict=True))


def _within(a: Point, b: Point, c: Point) -> bool:
    """Whether c, on the line through a and b, lies between them."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def _unwrapped(area: Box) -> list[Box]:
    if area.west <= area.east:
        return [area]
    return [area._replace(east=180.0), area._replace(west=-180.0)]


def _cells(area: Box) -> tuple[int, int, int, int]:
    """The columns and rows of cells that it touches: west, south, east, north."""

    def number(share: float) -> int:
        return min(int(share * (1 << _CELL_BITS)), (1 << _CELL_BITS) - 1)

    return (
        number((area.west + 180) / 360),
        number((area.south + 90) / 180),
        number((area.east + 180) / 360),
        number((area.north + 90) / 180),
    )


def _span(depth: int, x: int, y: int) -> Span:
    """The cells of one piece: a quarter's number is its parent's, with one bit of x and one of y behind it."""
    shift = 2 * (_CELL_BITS - depth)
    prefix = 0
    for bit in reversed(range(depth)):
        prefix = prefix << 2 | (y >> bit & 1) << 1 | (x >> bit & 1)
    return Span(prefix << shift, ((prefix + 1) << shift) - 1)


def _touches(piece: tuple[int, int, int], window: tuple[int, int, int, int]) -> bool:
    west, south, east, north = _sides(piece)
    return window[0] <= east and west <= window[2] and window[1] <= north and south <= window[3]


def _fits(piece: tuple[int, int, int], window: tuple[int, int, int, int]) -> bool:
    west, south, east, north = _sides(piece)
    return window[0] <= west and east <= window[2] and window[1] <= south and north <= window[3]


def _sides(piece: tuple[int, int, int]) -> tuple[int, int, int, int]:
    depth, x, y = piece
    size = 1 << (_CELL_BITS - depth)
    return x * size, y * size, (x + 1) * size - 1, (y + 1) * size - 1


def _parted(spans: list[Span]) -> list[Span]:
    """As many as there may be, so that every box is asked for in the same way. A single cell is there again."""
    while len(spans) < RANGES:
        widest = max(spans, key=lambda span: span.last - span.first)
        middle = (widest.first + widest.last) // 2
        if widest.first < widest.last:
            spans.remove(widest)
            spans += [Span(widest.first, middle), Span(middle + 1, widest.last)]
        else:
            spans.append(widest)
    return spans
