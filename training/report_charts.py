"""The geometry of the report's charts; the page's templates draw it.

Places along a bar are percentages of its width, so that a chart fits any screen without scaling its text.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from training.gate import Comparison

_SIDE = 220.0
_MARGIN_LEFT, _MARGIN_TOP = 36.0, 10.0
_MIN_RADIUS, _MAX_RADIUS = 3.0, 11.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its interval, in percent, which are also the places on a bar that spans 0 to 100 %."""

    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a chart: a share of so many cases, as each core has it (None where there is nothing to divide)."""

    name: str
    lead: str
    cases: int
    estimates: tuple[Estimate | None, ...]


def bar(name: str, lead: str, cases: int, shares: Iterable[tuple[float | None, Sequence[float] | None]]) -> Bar:
    """Return the row of shares and their intervals, one of each core."""
    return Bar(name, lead, cases, tuple(_estimate(share, interval) for share, interval in shares))


def _estimate(share: float | None, interval: Sequence[float] | None) -> Estimate | None:
    if share is None:
        return None
    low, high = interval or (share, share)
    return Estimate(100 * share, 100 * low, 100 * high)


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference with its interval, in percent of the width."""

    comparison: Comparison
    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class DifferenceChart:
    """Differences around a zero in the middle; the ends of the bar stand for `reach` either way.

    A suite of far fewer questions than the others has an interval so wide that it would flatten them: it does not set
    the reach, and what lies beyond is cut off at the end of the bar.
    """

    reach: float
    rows: tuple[Difference, ...]

    @classmethod
    def of(cls, comparisons: Iterable[Comparison]) -> "DifferenceChart":
        compared = tuple(comparisons)
        few = median(each.cases for each in compared) / 3
        widest = max(abs(end) for each in compared if each.cases >= few for end in each.interval)
        reach = next((step for step in (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8) if widest <= step), 1.0)

        def place(value: float) -> float:
            return min(100.0, max(0.0, 50 + 50 * value / reach))

        rows = (Difference(c, place(c.difference), place(c.interval[0]), place(c.interval[1])) for c in compared)
        return cls(reach, tuple(rows))


@dataclass(frozen=True, slots=True)
class Dot:
    """One bin of a reliability diagram; the area of the dot grows with its cases."""

    x: float
    y: float
    radius: float
    title: str


@dataclass(frozen=True, slots=True)
class ReliabilityDiagram:
    """A square plot, confidence to the right and share that is right upwards, in the units of its drawing."""

    left: float
    top: float
    side: float
    dots: tuple[Dot, ...]
    ticks: tuple[tuple[str, float, float], ...]
    """Label, x on the lower axis, y on the left axis."""


def reliability_diagram(table: Sequence[Mapping[str, Any]]) -> ReliabilityDiagram:
    """Return the diagram of a reliability table as `scoring.calibration` makes it."""
    most = max((row["cases"] for row in table), default=1)
    dots = tuple(
        Dot(
            x=_x(row["confidence"]),
            y=_y(row["accuracy"]),
            radius=max(_MIN_RADIUS, _MAX_RADIUS * (row["cases"] / most) ** 0.5),
            title=f"{row['cases']} answers: {100 * row['confidence']:.0f} % sure, {100 * row['accuracy']:.0f} % right",
        )
        for row in table
    )
    ticks = tuple((f"{share}", _x(share / 100), _y(share / 100)) for share in (0, 25, 50, 75, 100))
    return ReliabilityDiagram(_MARGIN_LEFT, _MARGIN_TOP, _SIDE, dots, ticks)


def _x(share: float) -> float:
    return _MARGIN_LEFT + _SIDE * share


def _y(share: float) -> float:
    return _MARGIN_TOP + _SIDE * (1 - share)
