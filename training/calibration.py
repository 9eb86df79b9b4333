"""Whether a core's confidence can be believed: the reliability table and the expected calibration error.

Guo et al. 2017, "On Calibration of Modern Neural Networks", sections 2 and 3: confidences fall into bins of equal
width; the error is the mean distance of a bin's accuracy from its mean confidence, weighted by the cases in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NUM_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The cases whose confidence lies in (`low`, `high`]; 0 belongs to the first bin."""

    low: float
    high: float
    cases: int
    confidence: float
    accuracy: float


def reliability(claims: Iterable[tuple[float, bool]], num_bins: int = NUM_BINS) -> tuple[Bin, ...]:
    """Return the bins that hold a case, lowest first; a claim is a confidence and whether it was right.

    Raises:
        ValueError: a confidence that is no probability.
    """
    members: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for confidence, right in claims:
        if not 0 <= confidence <= 1:
            raise ValueError(f"confidence is {confidence}: it must lie between 0 and 1")
        members[_bin_of(confidence, num_bins)].append((confidence, right))
    return tuple(
        Bin(
            low=place / num_bins,
            high=(place + 1) / num_bins,
            cases=len(claimed),
            confidence=sum(confidence for confidence, _ in claimed) / len(claimed),
            accuracy=sum(right for _, right in claimed) / len(claimed),
        )
        for place, claimed in sorted(members.items())
    )


def expected_calibration_error(bins: Sequence[Bin]) -> float | None:
    """Return the weighted mean distance of accuracy from confidence, or None where there is no case."""
    cases = sum(each.cases for each in bins)
    return sum(each.cases * abs(each.accuracy - each.confidence) for each in bins) / cases if cases else None


def _bin_of(confidence: float, num_bins: int) -> int:
    """Return the place of the bin; an upper edge belongs to the bin below it."""
    upper = next(place for place in range(1, num_bins + 1) if confidence <= place / num_bins)
    return upper - 1
