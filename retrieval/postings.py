"""Keyword search in memory, for corpora on which the database is too slow: which passages have a term, how often.

An index never changes: `added` returns a new one that shares what it can. What is removed need not be told: the caller
says which passages are allowed, and only those are counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.keyword_index import Searched, best, gains

_MAX_SEGMENTS = 8  # a search looks into each

Entry = tuple[int, int, Mapping[str, int]]
"""A passage: its id, its bytes, and how often it has each term."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """Passages in order of id; the rows and counts of a term are those from its start to the next term's."""

    ids_N: NDArray[np.int64]
    sizes_N: NDArray[np.float64]
    terms: Mapping[str, int]
    starts: NDArray[np.int64]
    rows_P: NDArray[np.int32]
    counts_P: NDArray[np.uint16]

    @property
    def size_bytes(self) -> int:
        arrays = (self.ids_N, self.sizes_N, self.starts, self.rows_P, self.counts_P)
        return sum(array.nbytes for array in arrays)

    def postings(self, term: str) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
        number = self.terms.get(term)
        if number is None:
            return self.rows_P[:0], self.counts_P[:0]
        where = slice(int(self.starts[number]), int(self.starts[number + 1]))
        return self.rows_P[where], self.counts_P[where]


class Postings:
    """An inverted index by chunk id; safe to search from many threads."""

    def __init__(self, segments: Sequence[_Segment] = ()) -> None:
        self._segments = tuple(segments)

    @classmethod
    def build(cls, entries: Iterable[Entry]) -> "Postings":
        """Index passages under their ids, which differ."""
        return cls((_segment(entries),))

    def __len__(self) -> int:
        return sum(len(segment.ids_N) for segment in self._segments)

    @property
    def size_bytes(self) -> int:
        """Memory of the arrays, without the terms themselves."""
        return sum(segment.size_bytes for segment in self._segments)

    @property
    def ids(self) -> NDArray[np.int64]:
        return np.concatenate([np.zeros(0, np.int64), *(segment.ids_N for segment in self._segments)])

    def added(self, entries: Iterable[Entry]) -> "Postings":
        """Return an index with more passages; their ids were never used before."""
        newest = _segment(entries)
        if not len(newest.ids_N):
            return self
        segments = [*self._segments, newest]
        if len(segments) > _MAX_SEGMENTS:
            segments = [segments[0], _merged(segments[1:])]
        if len(segments[-1].ids_N) > len(segments[0].ids_N):
            segments = [_merged(segments)]
        return Postings(segments)

    def search(
        self, terms: Mapping[str, float], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """Return up to `k` (id, score), best first, of the `allowed` ids; None allows all, an empty array none."""
        masks = [
            np.ones(len(segment.ids_N), bool) if allowed is None else np.isin(segment.ids_N, allowed)
            for segment in self._segments
        ]
        sizes = [segment.sizes_N[mask] for segment, mask in zip(self._segments, masks, strict=True)]
        num = sum(map(len, sizes))
        if not num:
            return []
        searched = Searched(num, max(1.0, sum(float(size.sum()) for size in sizes) / num))
        scores = np.zeros(len(self))
        for term, weight in sorted(terms.items()):
            sizes_H, counts_H, at = self._having(term, masks)
            if len(at):
                scores[at] += gains(counts_H, sizes_H, weight, searched)
        return best(self.ids, scores, k)

    def _having(
        self, term: str, masks: Sequence[NDArray[np.bool_]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Return the sizes, counts and places of the allowed passages that have a term."""
        sizes, counts, places = [], [], []
        first = 0
        for segment, mask in zip(self._segments, masks, strict=True):
            rows, count = segment.postings(term)
            is_allowed = mask[rows]
            rows = rows[is_allowed]
            sizes.append(segment.sizes_N[rows])
            counts.append(count[is_allowed].astype(np.float64))
            places.append(rows.astype(np.int64) + first)
            first += len(mask)
        return np.concatenate(sizes), np.concatenate(counts), np.concatenate(places)


def count_terms(terms: Iterable[str]) -> Mapping[str, int]:
    return Counter(terms)


def _segment(entries: Iterable[Entry]) -> _Segment:
    ids: list[int] = []
    sizes: list[float] = []
    numbers: dict[str, int] = {}
    terms: list[int] = []
    rows: list[int] = []
    counts: list[int] = []
    for row, (chunk_id, size, counted) in enumerate(sorted(entries, key=lambda entry: entry[0])):
        ids.append(chunk_id)
        sizes.append(size)
        terms += [numbers.setdefault(term, len(numbers)) for term in counted]
        rows += [row] * len(counted)
        counts += counted.values()
    return _sorted_segment(
        np.array(ids, np.int64), np.array(sizes, np.float64), numbers, np.array(terms, np.int32),
        np.array(rows, np.int32), np.minimum(np.array(counts, np.int64), 65535).astype(np.uint16),
    )  # fmt: skip


def _sorted_segment(
    ids_N: NDArray[np.int64],
    sizes_N: NDArray[np.float64],
    numbers: Mapping[str, int],
    terms_P: NDArray[np.int32],
    rows_P: NDArray[np.int32],
    counts_P: NDArray[np.uint16],
) -> _Segment:
    order = np.argsort(terms_P, kind="stable")
    starts = np.searchsorted(terms_P[order], np.arange(len(numbers) + 1))
    return _Segment(ids_N, sizes_N, numbers, starts.astype(np.int64), rows_P[order], counts_P[order])


def _merged(segments: Sequence[_Segment]) -> _Segment:
    """Return one segment in place of several, whose ids rise from each to the next or not."""
    ids_N = np.concatenate([segment.ids_N for segment in segments])
    order = np.argsort(ids_N, kind="stable")
    row_of = np.empty(len(ids_N), np.int32)
    row_of[order] = np.arange(len(ids_N), dtype=np.int32)
    numbers: dict[str, int] = {}
    terms, rows = [], []
    first = 0
    for segment in segments:
        renumbered = np.array([numbers.setdefault(term, len(numbers)) for term in segment.terms], np.int32)
        terms.append(np.repeat(renumbered, np.diff(segment.starts)))
        rows.append(row_of[segment.rows_P + first])
        first += len(segment.ids_N)
    terms_P, rows_P = np.concatenate(terms), np.concatenate(rows)
    by_row = np.argsort(rows_P, kind="stable")
    counts_P = np.concatenate([segment.counts_P for segment in segments])
    sizes_N = np.concatenate([segment.sizes_N for segment in segments])[order]
    return _sorted_segment(ids_N[order], sizes_N, numbers, terms_P[by_row], rows_P[by_row], counts_P[by_row])
