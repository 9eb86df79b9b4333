"""The port of keyword search, and BM25 over what a reader may read.

The statistics that BM25 needs (how many passages, how long, how many with a term) are those of the passages searched,
never of the whole index: with FTS5's own `bm25()` or tantivy's, a forbidden document moves the scores of the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75


class KeywordIndex(Protocol):
    """Ranks chunks by the terms they share with a query."""

    def search(
        self, terms: Mapping[str, float], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """Return up to `k` (chunk id, score), best first, of the `allowed` ids; None allows all, empty allows none."""
        ...


@dataclass(frozen=True, slots=True)
class Searched:
    """The passages that are searched: how many, and how long they are on average, in bytes."""

    num: int
    mean_size: float


def gains(
    counts: NDArray[np.float64], sizes: NDArray[np.float64], weight: float, searched: Searched
) -> NDArray[np.float64]:
    """Return what one term adds to each passage that has it (Robertson and Zaragoza, 2009; idf as in Lucene).

    `counts` is how often the passage has the term, `sizes` its bytes.
    """
    idf = np.log1p((searched.num - len(counts) + 0.5) / (len(counts) + 0.5))
    saturation = counts + K1 * (1 - B + B * sizes / searched.mean_size)
    gained: NDArray[np.float64] = weight * idf * counts * (K1 + 1) / saturation
    return gained


def best(ids: NDArray[np.int64], scores: NDArray[np.float64], k: int) -> list[tuple[int, float]]:
    """Return the `k` best (id, score) above 0, best first, equal scores by id."""
    if k < 1 or not len(ids):
        return []
    found = np.flatnonzero(scores > 0)
    if len(found) > k:
        smallest = np.partition(scores[found], len(found) - k)[len(found) - k]
        found = found[scores[found] >= smallest]
    order = found[np.lexsort((ids[found], -scores[found]))][:k]
    return [(int(ids[row]), float(scores[row])) for row in order]
