"""Tokens and n-grams against sets of tuples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.grams import GramSet, covered, grams, grams_or_whole, token_hashes

words = st.lists(st.sampled_from("abc"), max_size=14)


def hashes(tokens: list[str]) -> np.ndarray:
    return token_hashes(" ".join(tokens))


def tuples(tokens: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Up to $60.50 a day", ["up", "to", "$", "6", "0", ".", "5", "0", "a", "day"]),
        ("Straße_2  –  ok!?", ["straße", "_", "2", "–", "ok", "!?"]),
        (" \n", []),
    ],
)
def test_a_token_is_a_run_of_letters_a_digit_or_a_run_of_other_characters(text: str, tokens: list[str]):
    assert token_hashes(text).tolist() == [hash(token) % 2**64 for token in tokens]


@given(words, words, st.integers(1, 5))
def test_two_grams_are_equal_where_their_tokens_are(one, other, n):
    together = grams(hashes(one), n).tolist() + grams(hashes(other), n).tolist()
    expected = tuples(one, n) + tuples(other, n)
    assert [a == b for a in together for b in together] == [a == b for a in expected for b in expected]


@given(words, st.integers(1, 5))
def test_a_text_shorter_than_n_is_one_gram(tokens, n):
    found = grams_or_whole(hashes(tokens), n)
    assert len(found) == (max(1, len(tokens) - n + 1) if tokens else 0)


@given(st.integers(1, 5), st.lists(st.booleans(), min_size=1, max_size=12))
def test_a_token_is_covered_iff_a_matched_gram_holds_it(n, matched):
    num_tokens = len(matched) + n - 1
    expected = [any(m and i <= t < i + n for i, m in enumerate(matched)) for t in range(num_tokens)]
    assert covered(np.array(matched), num_tokens).tolist() == expected


@given(st.lists(words, max_size=4), words, st.integers(1, 4))
def test_a_set_finds_its_members_and_nothing_else(members, asked, n):
    known = GramSet([grams(hashes(one), n) for one in members])
    places = known.places(grams(hashes(asked), n)).tolist()
    kinds = {gram for one in members for gram in tuples(one, n)}
    expected = [gram for gram in tuples(asked, n) if gram in kinds]
    assert len(known) == len(kinds)
    assert [a == b for a in places for b in places] == [a == b for a in expected for b in expected]
