"""Dialogues that repeat an earlier one almost word for word.

Two dialogues are near-duplicates where the Jaccard index of their shingles (runs of 5 tokens) is at least a threshold.
The search is exact, by prefix filtering (Chaudhuri, Ganti and Kaushik, 2006): ordered from rare to common, sets that
overlap enough share one of their first few members, so that only dialogues that share something rare are compared.
Memory is 4 bytes a shingle, a table of 64 MiB, and the index of shared rare shingles.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.grams import Hashes, grams_or_whole

SHINGLE_TOKENS = 5
_TABLE_BITS = 26
_BATCH = 1024
# A shingle of thousands of different dialogues tells none of them apart; comparing with all would take forever.
_MAX_COMPARED = 256
_ROUNDING = 1e-9

Shingles = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Dialogue `number` repeats dialogue `of`, counted from 0 in the order they were added."""

    number: int
    of: int
    jaccard: float


class _Held(NamedTuple):
    """A dialogue with a shingle at a place, counted from its rarest, and the number of its shingles."""

    number: int
    place: int
    length: int


class NearDuplicates:
    """Collects dialogues and finds those that repeat an earlier one that is itself no repetition."""

    def __init__(self, threshold: float = 0.8) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"a threshold of {threshold} is no Jaccard index: use more than 0 and at most 1")
        self.threshold = threshold
        self._dialogues: list[Shingles] = []
        self._counted = 0
        self._counts = np.zeros(1 << _TABLE_BITS, np.uint8)

    def add(self, tokens: Hashes) -> None:
        """Take in the tokens of one more dialogue."""
        high = (grams_or_whole(tokens, SHINGLE_TOKENS) >> np.uint64(32)).astype(np.uint32)
        self._dialogues.append(np.unique(high))
        if len(self._dialogues) - self._counted >= _BATCH:
            self._count()

    def find(self) -> list[NearDuplicate]:
        """Return the repetitions in order."""
        self._count()
        found: list[NearDuplicate] = []
        holders: dict[int, list[_Held]] = defaultdict(list)
        for number, shingles in enumerate(self._dialogues):
            rare = self._shared_prefix(shingles)
            repeated = self._most_similar(number, self._candidates(len(shingles), rare, holders))
            if repeated is not None:
                found.append(repeated)
                continue
            for place, shingle in rare:
                if len(holders[shingle]) < _MAX_COMPARED:
                    holders[shingle].append(_Held(number, place, len(shingles)))
        return found

    def _candidates(
        self, length: int, rare: Sequence[tuple[int, int]], holders: Mapping[int, Sequence[_Held]]
    ) -> list[int]:
        """Return the earlier dialogues that may overlap enough, judged by the rarest shingle that both have."""
        seen: set[int] = set()
        candidates: list[int] = []
        share = self.threshold / (1 + self.threshold)
        for place, shingle in rare:
            for held in holders.get(shingle, ()):
                if held.number in seen:
                    continue
                seen.add(held.number)
                # Nothing rarer is shared, so at most what lies behind it in both.
                most = min(length - place, held.length - held.place)
                if most >= share * (length + held.length) - _ROUNDING:
                    candidates.append(held.number)
        return candidates

    def _most_similar(self, number: int, candidates: Sequence[int]) -> NearDuplicate | None:
        similar = [NearDuplicate(number, other, self._jaccard(number, other)) for other in candidates]
        best = max(similar, key=lambda pair: pair.jaccard, default=None)
        return best if best is not None and best.jaccard >= self.threshold else None

    def _jaccard(self, one: int, other: int) -> float:
        a, b = self._dialogues[one], self._dialogues[other]
        both = int(np.isin(a, b, assume_unique=True, kind="sort").sum())
        return both / (len(a) + len(b) - both)

    def _shared_prefix(self, shingles: Shingles) -> list[tuple[int, int]]:
        """Return place and shingle of the rarest ones, as many as a near-duplicate must share one of.

        A shingle that was met once is shared with nobody and only takes its place.
        """
        length = len(shingles) - math.ceil(self.threshold * len(shingles) - _ROUNDING) + 1
        counts = self._counts[_place(shingles)]
        prefix = np.lexsort((shingles, counts))[:length]
        places = np.flatnonzero(counts[prefix] > 1)
        return list(zip(places.tolist(), shingles[prefix[places]].tolist(), strict=True))

    def _count(self) -> None:
        """Count in how many dialogues each shingle occurs, up to 255."""
        waiting = self._dialogues[self._counted :]
        self._counted = len(self._dialogues)
        if waiting:
            places, more = np.unique(_place(np.concatenate(waiting)), return_counts=True)
            self._counts[places] = np.minimum(self._counts[places] + more, 255)


def _place(shingles: Shingles) -> npt.NDArray[np.uint32]:
    return shingles >> np.uint32(32 - _TABLE_BITS)
