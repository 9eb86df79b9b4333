"""BM25 in memory against the textbook's sum, and what the allow-list and the segments change: nothing."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.keyword_index import K1, B
from retrieval.postings import Entry, Postings

TERMS = "abcdefg"
PASSAGES = st.lists(st.tuples(st.integers(1, 40), st.text(TERMS, max_size=12)), max_size=25, unique_by=lambda p: p[0])
QUERIES = st.dictionaries(st.sampled_from(TERMS + "z"), st.floats(0.1, 2), max_size=5)


def entry(chunk_id: int, text: str) -> Entry:
    return chunk_id, len(text) + 7, Counter(text)


def textbook(passages: dict[int, str], query: dict[str, float]) -> dict[int, float]:
    """Robertson and Zaragoza's sum, written out."""
    if not passages:
        return {}
    mean = sum(len(text) + 7 for text in passages.values()) / len(passages)
    scores: dict[int, float] = {}
    for chunk_id, text in passages.items():
        for term, weight in query.items():
            having = sum(term in other for other in passages.values())
            count = text.count(term)
            idf = math.log(1 + (len(passages) - having + 0.5) / (having + 0.5))
            part = count * (K1 + 1) / (count + K1 * (1 - B + B * (len(text) + 7) / mean))
            scores[chunk_id] = scores.get(chunk_id, 0.0) + weight * idf * part
    return {chunk_id: score for chunk_id, score in scores.items() if score > 0}


@settings(max_examples=150, deadline=None)
@given(PASSAGES, QUERIES, st.integers(0, 30))
def test_scores_are_the_textbooks(passages: list[tuple[int, str]], query: dict[str, float], k: int) -> None:
    found = Postings.build(entry(*passage) for passage in passages).search(query, k)
    expected = sorted(textbook(dict(passages), query).values(), reverse=True)[:k]
    assert [score for _, score in found] == pytest.approx(expected)
    assert [(-score, chunk_id) for chunk_id, score in found] == sorted((-s, i) for i, s in found)


@settings(max_examples=150, deadline=None)
@given(PASSAGES, QUERIES, st.sets(st.integers(1, 45)))
def test_a_forbidden_passage_changes_no_score(
    passages: list[tuple[int, str]], query: dict[str, float], allowed: set[int]
) -> None:
    whole = Postings.build(entry(*passage) for passage in passages)
    alone = Postings.build(entry(*passage) for passage in passages if passage[0] in allowed)
    assert whole.search(query, 50, np.array(sorted(allowed), np.int64)) == alone.search(query, 50)


@settings(max_examples=100, deadline=None)
@given(PASSAGES, QUERIES, st.lists(st.integers(0, 25), max_size=12), st.none() | st.sets(st.integers(1, 45)))
def test_an_index_filled_in_steps_is_the_index_filled_at_once(
    passages: list[tuple[int, str]], query: dict[str, float], cuts: list[int], allowed: set[int] | None
) -> None:
    steps = [0, *sorted(cuts), len(passages)]
    index = Postings.build([])
    for start, end in itertools.pairwise(steps):
        index = index.added(entry(*passage) for passage in passages[start:end])
    only = None if allowed is None else np.array(sorted(allowed), np.int64)
    assert index.search(query, 50, only) == Postings.build(entry(*p) for p in passages).search(query, 50, only)
    assert sorted(index.ids.tolist()) == sorted(chunk_id for chunk_id, _ in passages)


def test_an_empty_allow_list_allows_nothing() -> None:
    assert Postings.build([entry(1, "a")]).search({"a": 1}, 5, np.zeros(0, np.int64)) == []
    assert Postings().search({"a": 1}, 5) == []
