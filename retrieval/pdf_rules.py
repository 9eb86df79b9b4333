"""The ruled tables of a PDF page: grids of straight horizontal and vertical lines."""

import ctypes
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

_STRAIGHT = 1.5  # points a ruled line may lean or be thick
_TOUCHING = 3.0  # points between lines that meet
_MAX_RULES = 4000  # a page with more is a drawing


@dataclass(frozen=True, slots=True)
class _Rule:
    """A line at `place` (x of a vertical one, y of a horizontal one) from `start` to `end` along the other axis."""

    place: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Grid:
    """A ruled table: `ys` are its horizontal lines from the top, `xs` its vertical lines from the left."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    verticals: tuple[_Rule, ...]

    @property
    def top(self) -> float:
        return self.ys[0]

    @property
    def bottom(self) -> float:
        return self.ys[-1]

    @property
    def num_rows(self) -> int:
        return len(self.ys) - 1

    @property
    def num_columns(self) -> int:
        return len(self.xs) - 1

    def holds(self, x: float, y: float) -> bool:
        return self.xs[0] < x < self.xs[-1] and self.ys[-1] < y < self.ys[0]

    def place(self, x: float, y: float) -> tuple[int, int]:
        """Return the row and column of a point inside; a cell over several columns counts as its first."""
        row = min(max(bisect_right([-edge for edge in self.ys], -y) - 1, 0), self.num_rows - 1)
        walls = [rule.place for rule in self.verticals if rule.start <= y <= rule.end and rule.place <= x]
        wall = max(walls, default=self.xs[0])
        column = min(range(self.num_columns), key=lambda number: abs(self.xs[number] - wall))
        return row, column


def ruled_grids(page: pypdfium2.PdfPage) -> list[Grid]:
    """Return the grids of at least two rows and two columns on a page."""
    horizontals: list[_Rule] = []
    verticals: list[_Rule] = []
    for (x0, y0), (x1, y1) in _segments(page):
        if abs(y0 - y1) <= _STRAIGHT < abs(x0 - x1):
            horizontals.append(_Rule((y0 + y1) / 2, min(x0, x1), max(x0, x1)))
        elif abs(x0 - x1) <= _STRAIGHT < abs(y0 - y1):
            verticals.append(_Rule((x0 + x1) / 2, min(y0, y1), max(y0, y1)))
        if len(horizontals) + len(verticals) > _MAX_RULES:
            return []
    return [grid for group in _groups(horizontals, verticals) if (grid := _grid(*group))]


def _segments(page: pypdfium2.PdfPage) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    for path in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH], max_depth=3):
        matrix = path.get_matrix()
        points: list[tuple[float, float]] = []
        for number in range(min(pdfium.FPDFPath_CountSegments(path), _MAX_RULES)):
            segment = pdfium.FPDFPath_GetPathSegment(path, number)
            x, y = ctypes.c_float(), ctypes.c_float()
            pdfium.FPDFPathSegment_GetPoint(segment, x, y)
            point = matrix.on_point(x.value, y.value)
            kind = pdfium.FPDFPathSegment_GetType(segment)
            if kind == pdfium.FPDF_SEGMENT_MOVETO:
                points = [point]
            elif kind == pdfium.FPDF_SEGMENT_LINETO and points:
                yield points[-1], point
                points.append(point)
                if pdfium.FPDFPathSegment_GetClose(segment):
                    yield point, points[0]


def _groups(horizontals: Sequence[_Rule], verticals: Sequence[_Rule]) -> list[tuple[list[_Rule], list[_Rule]]]:
    """Return groups of lines that cross or touch each other, by union of crossings."""
    parent = list(range(len(horizontals) + len(verticals)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    by_place = sorted(range(len(verticals)), key=lambda number: verticals[number].place)
    places = [verticals[number].place for number in by_place]
    for number, rule in enumerate(horizontals):
        near = slice(bisect_right(places, rule.start - _TOUCHING), bisect_right(places, rule.end + _TOUCHING))
        for other in by_place[near]:
            if verticals[other].start - _TOUCHING <= rule.place <= verticals[other].end + _TOUCHING:
                parent[root(number)] = root(len(horizontals) + other)
    groups: dict[int, tuple[list[_Rule], list[_Rule]]] = {}
    for number, rule in enumerate([*horizontals, *verticals]):
        side = 0 if number < len(horizontals) else 1
        groups.setdefault(root(number), ([], []))[side].append(rule)
    return list(groups.values())


def _grid(horizontals: Sequence[_Rule], verticals: Sequence[_Rule]) -> Grid | None:
    xs = _distinct([rule.place for rule in verticals])
    ys = _distinct([rule.place for rule in horizontals])[::-1]
    if len(xs) < 3 or len(ys) < 3:
        return None
    return Grid(tuple(xs), tuple(ys), tuple(verticals))


def _distinct(places: Sequence[float]) -> list[float]:
    """Return the places in order, those that touch each other once."""
    result: list[float] = []
    for place in sorted(places):
        if not result or place - result[-1] > _TOUCHING:
            result.append(place)
    return result
