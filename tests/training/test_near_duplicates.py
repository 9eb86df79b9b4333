"""Near-duplicates against every pair compared by brute force."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.grams import token_hashes
from training.near_duplicates import SHINGLE_TOKENS, NearDuplicates

WORDS = ["meals", "hotel", "limit", "up", "to", "per", "day", "for", "travel", "no", "yes"]

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30)


@st.composite
def collections(draw: st.DrawFn) -> list[list[str]]:
    """Some texts, and copies of them with a few words changed."""
    result = draw(st.lists(texts, min_size=1, max_size=5))
    for _ in range(draw(st.integers(0, 8))):
        copy = list(draw(st.sampled_from(result)))
        for _ in range(draw(st.integers(0, 2))):
            copy[draw(st.integers(0, len(copy) - 1))] = draw(st.sampled_from([*WORDS, "other"]))
        result.append(copy)
    return draw(st.permutations(result))


def shingles(words: list[str]) -> set[tuple[str, ...]]:
    n = min(SHINGLE_TOKENS, len(words))
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other)


def by_brute_force(dialogues: list[list[str]], threshold: float) -> dict[int, float]:
    """Return each repetition with its Jaccard index to the most similar one kept before it."""
    kept: list[set[tuple[str, ...]]] = []
    repetitions: dict[int, float] = {}
    for number, words in enumerate(dialogues):
        best = max((jaccard(shingles(words), other) for other in kept), default=0.0)
        if best >= threshold:
            repetitions[number] = best
        else:
            kept.append(shingles(words))
    return repetitions


@settings(max_examples=60, deadline=None)
@given(collections(), st.sampled_from([0.35, 0.5, 0.8, 1.0]))
def test_repetitions_are_those_that_comparing_every_pair_finds(dialogues, threshold):
    search = NearDuplicates(threshold)
    for words in dialogues:
        search.add(token_hashes(" ".join(words)))
    found = search.find()
    assert {pair.number: pair.jaccard for pair in found} == by_brute_force(dialogues, threshold)
    for pair in found:
        assert jaccard(shingles(dialogues[pair.number]), shingles(dialogues[pair.of])) == pair.jaccard


def test_thousands_of_variations_of_one_text_are_repetitions_of_the_first():
    search = NearDuplicates()
    text = " ".join(map("".join, product("abcd", repeat=3)))
    for number in range(3000):
        search.add(token_hashes(f"{text} {number}"))
    assert [pair.number for pair in search.find()] == list(range(1, 3000))


def test_dialogues_without_words_are_no_repetitions():
    search = NearDuplicates()
    for _ in range(2):
        search.add(np.empty(0, np.uint64))
    assert search.find() == []


def test_a_threshold_that_is_no_jaccard_index_is_refused():
    with pytest.raises(ValueError, match=r"threshold of 1\.5"):
        NearDuplicates(1.5)
