"""Brings rankings together, and makes a follow-up question one that can be searched by itself."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval.words import content_words, words

_REFERRING = "it its they them their that those this these he she one ones same there such also else"
_REFERS_BACK = frozenset(_REFERRING.split())

_ELLIPSIS = re.compile(r"^\s*(?:and|but|or|so|what about|how about|then|also|what if|why|even|for|in|with)\b", re.I)
_SELF_CONTAINED = 3  # content words; with 7 a new topic after other questions is lost, with 1 a follow-up is
_CARRIED_CHARS = 300


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk id with its fused score, and its rank from 1 in each ranking that found it."""

    id: int
    score: float
    ranks: Mapping[str, int]


def fuse(
    rankings: Mapping[str, Sequence[tuple[int, float]]], weights: Mapping[str, float] | None = None, k: int = 60
) -> list[Ranked]:
    """Fuse rankings by weighted reciprocal rank (Cormack, Clarke and Buettcher, 2009): sum of weight / (k + rank).

    Only the order within a ranking counts, not its scores. A ranking without a weight counts 1. Equal scores are
    ordered by best rank, then by id.
    """
    ranks: dict[int, dict[str, int]] = {}
    for name in sorted(rankings):
        for rank, (chunk_id, _) in enumerate(rankings[name], start=1):
            ranks.setdefault(chunk_id, {}).setdefault(name, rank)
    fused = [
        Ranked(chunk_id, math.fsum((weights or {}).get(name, 1.0) / (k + rank) for name, rank in found.items()), found)
        for chunk_id, found in ranks.items()
    ]
    return sorted(fused, key=lambda ranked: (-ranked.score, min(ranked.ranks.values()), ranked.id))


def conversation_query(question: str, earlier_questions: Sequence[str], max_earlier: int = 4) -> str:
    """Return what to search for: the question, and what it leaves unsaid from the newest earlier questions.

    A question with enough words of its own, none of which refers back, stands alone. Otherwise the newest earlier
    questions follow it, newest first, each without the words already there.
    """
    own = content_words(question)
    refers_back = bool(_REFERS_BACK.intersection(words(question))) or bool(_ELLIPSIS.match(question))
    if not earlier_questions or (len(own) >= _SELF_CONTAINED and not refers_back):
        return question
    parts = [question]
    said = set(own)
    for earlier in reversed(earlier_questions[-max_earlier:]):
        new = [word for word in dict.fromkeys(content_words(earlier)) if word not in said]
        said.update(new)
        parts.append(" ".join(new)[:_CARRIED_CHARS].strip())
    return " ".join(part for part in parts if part)
