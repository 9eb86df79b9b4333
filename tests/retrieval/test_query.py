"""Questions that lean on those before them, and the weights that both rankings read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.query import MAX_TERMS, Query, conversation_query
from retrieval.words import stem

TEXTS = st.text("abcdef ", min_size=1, max_size=20)
BEFORE = [("Is wine paid?", "No."), ("What is the meal limit in Paris?", "60 euros."), ("Is tea included?", "Yes.")]


def weight_of(query: Query, word: str) -> float:
    return query.terms().get(stem(word.casefold()), 0.0)


def test_the_first_question_is_searched_as_it_is() -> None:
    assert conversation_query("And?", []) == Query("And?")
    assert Query("meal limit").terms() == {"meal": 1.0, "limit": 1.0}


@pytest.mark.parametrize("question", ["And for Berlin?", "How much is it?", "Who approves that?"])
def test_a_follow_up_leans_on_what_was_said_and_most_on_the_newest(question: str) -> None:
    query = conversation_query(question, BEFORE)
    assert query.text.startswith(question)
    assert query.text.endswith("tea included 60 euros meal limit paris wine paid")
    assert 1 > weight_of(query, "tea") > weight_of(query, "Paris") > weight_of(query, "wine") > 0


def test_a_question_that_could_stand_alone_leans_less() -> None:
    alone = conversation_query("How many days of parental leave does a part-time employee receive?", BEFORE)
    following = conversation_query("And for Berlin?", BEFORE)
    assert 0 < weight_of(alone, "tea") < weight_of(following, "tea")
    assert weight_of(alone, "parental") == 1


def test_a_word_of_the_question_that_was_said_before_counts_more() -> None:
    assert weight_of(conversation_query("And the tea limit?", BEFORE), "tea") > 1


@given(TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=12))
def test_a_vector_is_the_weighted_sum_of_the_texts_at_length_one(question: str, earlier: list[tuple[str, str]]) -> None:
    query = conversation_query(question, earlier)
    vectors = np.random.default_rng(0).standard_normal((len(query.texts()), 4)).astype(np.float32)
    expected = vectors[0] + sum(
        (weight * vector for (_, weight), vector in zip(query.context, vectors[1:], strict=True)), np.zeros(4)
    )
    np.testing.assert_allclose(query.vector(vectors), expected / np.linalg.norm(expected), rtol=1e-4, atol=1e-5)


def test_a_very_long_question_searches_a_bounded_number_of_terms() -> None:
    assert len(Query(" ".join(f"word{n}" for n in range(100_000))).terms()) == MAX_TERMS
    query = conversation_query("And the meal limit?", [(" ".join(f"w{n}" for n in range(5000)), "")])
    assert len(query.text) < 400
    assert weight_of(query, "meal") == 1


def test_a_question_without_words_looks_nothing_up() -> None:
    assert Query("?!").terms() == {}
