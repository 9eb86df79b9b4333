"""Percentile bootstrap intervals of figures that are ratios of sums (Efron and Tibshirani 1993, section 13.3).

The exchanges of one dialogue share its passages and are not independent, so what is drawn with replacement is the
dialogue, with everything in it. Every figure of a suite is computed on the same draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Interval = tuple[float, float]
FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

_MAX_DRAWN_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How often to draw, from which seed, and which share of the draws an interval holds."""

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 20_260_523

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise ValueError(f"resamples is {self.resamples}: it must be at least 1")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence is {self.confidence}: it must lie between 0 and 1")


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure as one part and one whole for each dialogue; its value is the sum of parts over the sum of wholes."""

    parts: tuple[float, ...]
    wholes: tuple[float, ...]

    @property
    def value(self) -> float | None:
        """The figure, or None where the wholes add up to nothing."""
        whole = sum(self.wholes)
        return sum(self.parts) / whole if whole else None


def intervals(ratios: Mapping[str, Ratio], bootstrap: Bootstrap) -> dict[str, Interval | None]:
    """Return the interval of each ratio; all are over the same dialogues.

    A draw in which the wholes add up to nothing says nothing of that figure and is left out; where every draw is so,
    the interval is None.
    """
    sums = _resampled_sums([column for ratio in ratios.values() for column in (ratio.parts, ratio.wholes)], bootstrap)
    return {
        name: percentile_interval(_quotients(sums[:, 2 * place], sums[:, 2 * place + 1]), bootstrap.confidence)
        for place, name in enumerate(ratios)
    }


def difference(candidate: Ratio, serving: Ratio, bootstrap: Bootstrap) -> Interval | None:
    """Return the interval of candidate minus serving over the same dialogues: the paired bootstrap.

    Raises:
        ValueError: the two are not over the same number of dialogues.
    """
    if len(candidate.parts) != len(serving.parts):
        raise ValueError(
            f"{len(candidate.parts)} dialogues cannot be paired with {len(serving.parts)}: ask both cores the same ones"
        )
    sums = _resampled_sums([candidate.parts, candidate.wholes, serving.parts, serving.wholes], bootstrap)
    gaps = _quotients(sums[:, 0], sums[:, 1]) - _quotients(sums[:, 2], sums[:, 3])
    return percentile_interval(gaps, bootstrap.confidence)


def percentile_interval(values: FloatArray, confidence: float) -> Interval | None:
    """Return the middle share of the values that are numbers, or None if none is."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _resampled_sums(columns: Sequence[Sequence[float]], bootstrap: Bootstrap) -> FloatArray:
    """Return one row for each draw with the sum of each column over the dialogues drawn."""
    table = np.array(columns, dtype=np.float64).T  # dialogues x columns
    num_dialogues = len(table)
    generator = np.random.default_rng(bootstrap.seed)
    sums = np.zeros((bootstrap.resamples, len(columns)))
    if num_dialogues:
        # Many draws at a time, as a matrix that says how often each dialogue was drawn, in bounded memory.
        at_once = max(1, _MAX_DRAWN_AT_ONCE // num_dialogues)
        for start in range(0, bootstrap.resamples, at_once):
            draws = min(at_once, bootstrap.resamples - start)
            drawn = generator.integers(num_dialogues, size=(draws, num_dialogues))
            places = drawn + num_dialogues * np.arange(draws)[:, None]
            counts = np.bincount(places.ravel(), minlength=draws * num_dialogues).reshape(draws, num_dialogues)
            sums[start : start + draws] = counts @ table
    return sums


def _quotients(parts: FloatArray, wholes: FloatArray) -> FloatArray:
    """Divide, with NaN where there is nothing to divide by."""
    return np.divide(parts, wholes, out=np.full_like(parts, np.nan), where=wholes != 0)
