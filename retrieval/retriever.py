"""Brings two rankings of passages together, and lets a passage profit from its document.

Fused are scores and not ranks: each ranking's scores as shares of its best (Bruch, Gai and Ingber, 2023, compare such
convex combinations with reciprocal ranks). What a reader may not read is in neither ranking, so it moves no score.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

WEIGHTS = {"keywords": 0.5, "vectors": 0.5, "names": 4.0}
"""`names` ranks what holds the identifiers of a question that asks for little else, so that nothing comes before it."""
DOCUMENT_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk id with its fused score between 0 and 1, and its rank from 1 and score in each ranking that found it."""

    id: int
    score: float
    ranks: Mapping[str, int]
    scores: Mapping[str, float]


def fuse(
    rankings: Mapping[str, Sequence[tuple[int, float]]], weights: Mapping[str, float] | None = None
) -> list[Ranked]:
    """Fuse rankings, each best first: the weighted mean of the shares of each ranking's best score.

    A passage that a ranking does not have, or scores below 0, gets 0 from it. A ranking that found nothing does not
    count. Equal scores are ordered by best rank, then by id.

    Raises:
        ValueError: a ranking has no weight.
    """
    weights = WEIGHTS if weights is None else weights
    if unknown := set(rankings) - set(weights):
        raise ValueError(f"there is no weight for the ranking {min(unknown)!r}")
    counted = {name: found for name, found in sorted(rankings.items()) if found}
    total = math.fsum(weights[name] for name in counted) or 1.0
    ranks: dict[int, dict[str, int]] = {}
    scores: dict[int, dict[str, float]] = {}
    for name, found in counted.items():
        for rank, (chunk_id, score) in enumerate(found, start=1):
            if name not in ranks.setdefault(chunk_id, {}):
                ranks[chunk_id][name] = rank
                scores.setdefault(chunk_id, {})[name] = score
    best = {name: found[0][1] for name, found in counted.items()}
    fused = [
        Ranked(
            chunk_id,
            math.fsum(weights[name] * _share(score, best[name]) for name, score in scores[chunk_id].items()) / total,
            found_at,
            scores[chunk_id],
        )
        for chunk_id, found_at in ranks.items()
    ]
    return _ordered(fused)


def lift_by_document(
    fused: Sequence[Ranked], document_of: Mapping[int, Hashable], weight: float = DOCUMENT_WEIGHT
) -> list[Ranked]:
    """Mix each score with that of the best passage of the same document (Callan, 1994, ranks passages so).

    A passage seldom says what it is about as well as its document does. Passages without an entry in `document_of` are
    left out: they are gone.
    """
    here = [ranked for ranked in fused if ranked.id in document_of]
    best: dict[Hashable, float] = {}
    for ranked in here:
        document = document_of[ranked.id]
        best[document] = max(best.get(document, 0.0), ranked.score)
    return _ordered(
        [
            replace(ranked, score=(ranked.score + weight * best[document_of[ranked.id]]) / (1 + weight))
            for ranked in here
        ]
    )


def _share(score: float, best: float) -> float:
    return max(0.0, score) / best if best > 0 else 0.0


def _ordered(ranked: Sequence[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda one: (-one.score, min(one.ranks.values()), one.id))
