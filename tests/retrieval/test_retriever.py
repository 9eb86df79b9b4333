"""Fusing rankings, and questions that lean on those before them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.retriever import conversation_query, fuse

RANKINGS = st.dictionaries(
    st.sampled_from(["dense", "keyword", "third"]), st.lists(st.integers(0, 30), unique=True, max_size=20), max_size=3
)


def scored(ids: list[int]) -> list[tuple[int, float]]:
    return [(chunk_id, 1.0 / (place + 1)) for place, chunk_id in enumerate(ids)]


def test_fusion_is_the_published_formula() -> None:
    fused = fuse({"dense": scored([7, 8]), "keyword": scored([8, 9])}, {"dense": 1.0, "keyword": 0.5})
    assert [ranked.id for ranked in fused] == [8, 7, 9]
    assert fused[0].score == pytest.approx(1 / 62 + 0.5 / 61)
    assert fused[0].ranks == {"dense": 2, "keyword": 1}


@given(RANKINGS)
def test_fusion_finds_each_id_once_and_does_not_look_at_scores(rankings: dict[str, list[int]]) -> None:
    fused = fuse({name: scored(ids) for name, ids in rankings.items()})
    assert sorted(ranked.id for ranked in fused) == sorted({i for ids in rankings.values() for i in ids})
    other = {name: [(i, -5.0) for i in ids] for name, ids in reversed(rankings.items())}
    assert fuse(other) == fused


@given(RANKINGS, st.integers(31, 40))
def test_an_id_that_rises_in_a_ranking_never_falls_in_the_fusion(rankings: dict[str, list[int]], new: int) -> None:
    low = {**rankings, "dense": [*rankings.get("dense", []), new]}
    high = {**rankings, "dense": [new, *rankings.get("dense", [])]}
    places = [[r.id for r in fuse({n: scored(i) for n, i in given.items()})].index(new) for given in (low, high)]
    assert places[1] <= places[0]


def test_equal_scores_are_ordered_by_best_rank_and_then_by_id() -> None:
    assert [ranked.id for ranked in fuse({"a": scored([5]), "b": scored([3])})] == [3, 5]


@pytest.mark.parametrize(
    "question",
    ["How many days of parental leave does a part-time employee receive?", "How do I report a lost laptop?"],
)
def test_a_question_with_words_of_its_own_stands_alone(question: str) -> None:
    assert conversation_query(question, ["What is the meal limit?"]) == question


@pytest.mark.parametrize(
    "question", ["And for Berlin?", "What about part-time employees?", "How much is it?", "Who approves that?"]
)
def test_a_follow_up_carries_the_newest_questions_with_it(question: str) -> None:
    query = conversation_query(question, ["Is wine paid?", "What is the meal limit in Paris?", "Is tea included?"])
    assert query.startswith(question)
    assert query.endswith("tea included meal limit paris wine paid")


def test_words_already_said_are_not_said_again_and_length_is_bounded() -> None:
    query = conversation_query("And the meal limit?", ["meal limit " * 50 + " ".join(f"w{n}" for n in range(5000))])
    assert query.count("limit") == 1
    assert len(query) < 400


def test_the_first_question_is_searched_as_it_is() -> None:
    assert conversation_query("And?", []) == "And?"
