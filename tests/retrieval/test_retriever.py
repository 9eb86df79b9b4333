"""Fusing rankings, and lifting passages by their document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.retriever import fuse, lift_by_document

SCORED = st.dictionaries(st.integers(0, 30), st.floats(0.01, 50), max_size=20)
RANKINGS = st.dictionaries(st.sampled_from(["keywords", "vectors"]), SCORED, max_size=2)


def ranking(scores: dict[int, float]) -> list[tuple[int, float]]:
    return sorted(scores.items(), key=lambda hit: (-hit[1], hit[0]))


def ranked(rankings: dict[str, dict[int, float]]) -> dict[str, list[tuple[int, float]]]:
    return {name: ranking(scores) for name, scores in rankings.items()}


def test_fusion_is_the_weighted_mean_of_shares_of_the_best() -> None:
    fused = fuse({"vectors": [(7, 0.8), (8, 0.6)], "keywords": [(8, 12.0), (9, 3.0)]}, {"vectors": 3, "keywords": 1})
    assert [one.id for one in fused] == [8, 7, 9]
    assert [one.score for one in fused] == pytest.approx([(3 * 0.75 + 1) / 4, 3 / 4, 0.25 / 4])
    assert (fused[0].ranks, fused[0].scores) == ({"vectors": 2, "keywords": 1}, {"vectors": 0.6, "keywords": 12.0})


@given(RANKINGS)
def test_fusion_finds_each_id_once_between_nothing_and_one(rankings: dict[str, dict[int, float]]) -> None:
    fused = fuse(ranked(rankings))
    assert sorted(one.id for one in fused) == sorted({i for found in rankings.values() for i in found})
    assert all(0 < one.score <= 1 + 1e-9 for one in fused)


@given(RANKINGS, st.sampled_from([0.25, 4.0, 1024.0]))
def test_the_scale_of_a_rankings_scores_does_not_count(rankings: dict[str, dict[int, float]], scale: float) -> None:
    scaled = {name: {i: s * scale for i, s in found.items()} for name, found in rankings.items()}
    before, after = fuse(ranked(rankings)), fuse(ranked(scaled))
    assert [(one.id, one.score, one.ranks) for one in after] == [(one.id, one.score, one.ranks) for one in before]


@given(RANKINGS, SCORED, st.floats(0.01, 10))
def test_an_id_that_scores_more_in_a_ranking_never_falls(
    rankings: dict[str, dict[int, float]], others: dict[int, float], more: float
) -> None:
    low = {**rankings, "keywords": {**others, 99: 60.0, 98: 1.0}}
    high = {**rankings, "keywords": {**others, 99: 60.0, 98: 1.0 + more}}
    places = [[one.id for one in fuse(ranked(given))].index(98) for given in (low, high)]
    assert places[1] <= places[0]


def test_equal_scores_are_ordered_by_best_rank_and_then_by_id() -> None:
    assert [one.id for one in fuse({"keywords": [(5, 2.0)], "vectors": [(3, 0.5)]})] == [3, 5]


def test_a_ranking_without_a_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="'third'"):
        fuse({"third": [(1, 1.0)]})


def test_a_passage_profits_from_the_best_of_its_document() -> None:
    fused = fuse({"keywords": [(1, 10.0), (2, 5.0), (3, 4.5)]})
    lifted = lift_by_document(fused, {1: "a", 2: "b", 3: "a"}, 1.0)
    assert [(one.id, one.score) for one in lifted] == [(1, 1.0), (3, pytest.approx(0.725)), (2, 0.5)]


@given(RANKINGS, st.lists(st.integers(0, 3), min_size=31, max_size=31), st.floats(0, 4))
def test_lifting_keeps_the_best_passage_first_and_the_order_within_a_document(
    rankings: dict[str, dict[int, float]], documents: list[int], weight: float
) -> None:
    fused = fuse(ranked(rankings))
    lifted = lift_by_document(fused, dict(enumerate(documents)), weight)
    assert [one.id for one in lifted[:1]] == [one.id for one in fused[:1]]
    for document in set(documents):
        within = [[one.id for one in order if documents[one.id] == document] for order in (fused, lifted)]
        assert within[0] == within[1]


def test_what_is_gone_is_left_out_and_lifts_nothing() -> None:
    fused = fuse({"keywords": [(1, 10.0), (2, 5.0)]})
    assert [(one.id, one.score) for one in lift_by_document(fused, {2: "a"})] == [(2, 0.5)]
