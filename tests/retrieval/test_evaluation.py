"""The measures of retrieval, against values worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.evaluation import Scores, Span, mean, score

A, B = Span("a.md", 0, 10), Span("a.md", 40, 50)
SPANS = st.builds(lambda d, s, n: Span(d, s, s + n), st.sampled_from("ab"), st.integers(0, 50), st.integers(1, 30))


def test_a_span_is_found_where_a_passage_holds_half_of_it() -> None:
    assert score([Span("a.md", 5, 100)], [A], 5).recall == 1
    assert score([Span("a.md", 6, 100)], [A], 5).recall == 0
    assert score([Span("b.md", 0, 100)], [A], 5).recall == 0


def test_scores_are_those_worked_out_by_hand() -> None:
    ranked = [Span("b.md", 0, 9), Span("a.md", 0, 20), Span("a.md", 0, 20), Span("a.md", 35, 55)]
    expected = (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3))
    assert score(ranked, [A, B], 4) == Scores(1.0, 0.5, pytest.approx(expected))
    assert score(ranked, [A, B], 3) == Scores(0.5, 0.5, pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3))))
    assert score(ranked, [A, B], 1) == Scores(0.0, 0.0, 0.0)


def test_one_passage_that_holds_all_spans_is_perfect() -> None:
    assert score([Span("a.md", 0, 100)], [A, B], 5) == Scores(1.0, 1.0, 1.0)


@given(st.lists(SPANS, max_size=12), st.lists(SPANS, min_size=1, max_size=4), st.integers(1, 12))
def test_scores_lie_between_nothing_and_one_and_grow_with_k(ranked: list[Span], relevant: list[Span], k: int) -> None:
    now, more = score(ranked, relevant, k), score(ranked, relevant, k + 1)
    assert all(0 <= value <= 1 + 1e-9 for value in (now.recall, now.reciprocal_rank, now.ndcg))
    assert more.recall >= now.recall
    assert more.reciprocal_rank >= now.reciprocal_rank


def test_the_mean_counts_questions() -> None:
    assert mean([Scores(1, 1, 1), Scores(0, 0, 0)]) == Scores(0.5, 0.5, 0.5, 2)
    assert mean([]) == Scores(0, 0, 0, 0)


def test_a_question_without_a_relevant_span_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="0 spans"):
        score([A], [], 5)
