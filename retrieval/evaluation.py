"""How well passages are found: recall, reciprocal rank and discounted gain over relevant spans of documents.

A relevant span is *found* at the first rank whose passage holds at least half of it. So neither many small passages
nor one large passage are favoured by how a document is cut.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `end` of a document's text."""

    document: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one question, or the mean over many; all between 0 and 1."""

    recall: float
    reciprocal_rank: float
    ndcg: float
    questions: int = 1


def score(ranked: Sequence[Span], relevant: Sequence[Span], k: int) -> Scores:
    """Score the first `k` of `ranked`.

    `recall` is the share of relevant spans found; `reciprocal_rank` is 1 / rank of the first that is found, else 0;
    `ndcg` (Jarvelin and Kekalainen, 2002) gains 1 at each rank where a span is first found, over the best order.

    Raises:
        ValueError: nothing is relevant, or `k` is not positive.
    """
    if not relevant or k < 1:
        raise ValueError(f"a score needs a relevant span and a positive k, not {len(relevant)} spans and k = {k}")
    wanted = set(relevant)
    ranks = [rank for span in wanted if (rank := _first_rank(ranked[:k], span))]
    passages = set(ranks)
    needed = min(k, len(wanted) - (len(ranks) - len(passages)))  # passages, when one holds several of the spans
    best = _discounted(range(1, needed + 1))
    return Scores(len(ranks) / len(wanted), 1 / min(ranks) if ranks else 0.0, _discounted(passages) / best)


def mean(scores: Sequence[Scores]) -> Scores:
    """Return the mean over questions; of none, zeros."""
    if not scores:
        return Scores(0.0, 0.0, 0.0, 0)
    return Scores(
        fmean(one.recall for one in scores),
        fmean(one.reciprocal_rank for one in scores),
        fmean(one.ndcg for one in scores),
        sum(one.questions for one in scores),
    )


def _discounted(ranks: Iterable[int]) -> float:
    return math.fsum(1 / math.log2(1 + rank) for rank in ranks)


def _first_rank(ranked: Sequence[Span], span: Span) -> int:
    """Return the first rank, from 1, whose passage holds at least half of `span`; 0 when none does."""
    for rank, passage in enumerate(ranked, start=1):
        shared = min(passage.end, span.end) - max(passage.start, span.start)
        if passage.document == span.document and shared > 0 and 2 * shared >= span.end - span.start:
            return rank
    return 0
