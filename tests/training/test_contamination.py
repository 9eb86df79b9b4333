"""Contamination against sets of tuples, and the published test against its formula."""

import statistics
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning_core.prompt import Passage
from training.contamination import CLEAN, DIRTY, NgramShares, WholeCases, cases_of, published_test
from training.dialogue_tokens import DialogueTokens
from training.grams import token_hashes
from training.instructions import Dialogue, Exchange

WORDS = ["meals", "hotel", "limit", "up", "to", "per", "day", "for"]
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=16).map(" ".join)


def exchange(question: str, *texts: str) -> Exchange:
    return Exchange(tuple(Passage("Travel", text) for text in texts), question, (), "Yes.", "answer", "meals")


def dialogue(*exchanges: Exchange, name: str = "d") -> Dialogue:
    return Dialogue(name, "meals", "train", (), exchanges)


one_exchange = st.builds(lambda question, texts: exchange(question, *texts), sentences, st.lists(sentences, max_size=2))
dialogues = st.lists(one_exchange, min_size=1, max_size=3).map(lambda exchanges: dialogue(*exchanges))


def share_by_brute_force(prompt: list[str], corpus: list[list[str]], n: int) -> float:
    known = {tuple(words[i : i + n]) for words in corpus for i in range(len(words) - n + 1)}
    inside = [False] * len(prompt)
    for start in range(len(prompt) - n + 1):
        if tuple(prompt[start : start + n]) in known:
            inside[start : start + n] = [True] * n
    return sum(inside) / len(prompt)


def prompt_words(exchanges: tuple[Exchange, ...]) -> list[str]:
    texts = [text for e in exchanges for text in (*(p.text for p in e.passages), e.question)]
    return " ".join(texts).split()


@settings(max_examples=60, deadline=None)
@given(st.lists(dialogues, min_size=1, max_size=3), st.lists(dialogues, max_size=4), st.integers(1, 14))
def test_shares_are_those_that_sets_of_tuples_give(suite, training, n):
    cases = cases_of("suite", suite)
    search = NgramShares(cases, n)
    corpus = [prompt_words(each.exchanges) for each in training]
    for each in training:
        search.see(DialogueTokens(each))
    asked = [d.exchanges[:turn] for d in suite for turn in range(1, len(d.exchanges) + 1)]
    expected = [share_by_brute_force(prompt_words(exchanges), corpus, n) for exchanges in asked]
    assert search.shares() == pytest.approx(expected)


def test_a_case_is_each_question_with_what_was_read_before_it():
    first, second = exchange("Meals?", "Up to 60."), exchange("Hotels?", "Up to 150.")
    cases = cases_of("turns", [dialogue(first, second, name="t-1")])
    assert [case.id for case in cases] == ["t-1#1", "t-1#2"]
    told = ["Up to 60.", "Meals?", "Up to 150.", "Hotels?"]
    assert [part.tolist() for part in cases[1].parts] == [token_hashes(text).tolist() for text in told]


LONG = " ".join(f"{a} {b}" for a in WORDS for b in WORDS)
CASE = dialogue(exchange("Is a hotel of $190 fine?", LONG, "Meals: up to $60."), name="case")


def whole_cases(training: Dialogue, case: Dialogue = CASE) -> list[str]:
    search = WholeCases(cases_of("suite", [case]))
    search.see(DialogueTokens(training), "data.jsonl:1")
    return [found.case for found in search.found()]


@pytest.mark.parametrize(
    "training",
    [
        CASE,
        dialogue(exchange("Is a hotel of $190 fine?", "Meals: up to $60.", LONG)),
        dialogue(exchange("is a HOTEL of $190 fine?", LONG, "Meals: up to $60.", "Trains are fine.")),
        dialogue(exchange("And meals?", LONG, "The meal limit is $60."), exchange("Is a hotel of $190 fine?")),
        dialogue(exchange("Is a hotel of $190 fine?", f"{LONG.replace('per per', 'per night')} 60")),
    ],
)
def test_a_dialogue_that_asks_the_same_over_the_same_passages_holds_the_case(training):
    assert whole_cases(training) == ["case#1"]


@pytest.mark.parametrize(
    "training",
    [
        dialogue(exchange("Is a hotel of $180 fine?", LONG, "Meals: up to $60.")),
        dialogue(exchange("Is a hotel of $190 fine?", LONG[: len(LONG) // 2], "Meals: up to $60.")),
        dialogue(exchange("Is a hotel of $190 fine?", "Meals: up to $60.")),
        dialogue(exchange("Is a hotel of $190 fine?", LONG, "Meals: up to $70.")),
    ],
)
def test_a_dialogue_with_another_question_another_limit_or_half_of_the_passages_does_not_hold_it(training):
    assert whole_cases(training) == []


def test_a_long_question_is_found_with_a_word_changed():
    case = dialogue(exchange(f"{LONG}?"), name="case")
    assert whole_cases(dialogue(exchange(f"{LONG.replace('meals meals', 'meals hotels', 1)}?")), case) == ["case#1"]


def test_a_short_question_without_passages_is_found_where_it_is_asked_alone_or_not():
    case = dialogue(exchange("Is 5 more than 3?"), name="case")
    assert whole_cases(dialogue(exchange("Is 5 more than 3?", LONG)), case) == ["case#1"]
    assert whole_cases(dialogue(exchange("Is 5 more than 4?", LONG)), case) == []


def test_the_place_where_a_case_was_met_first_is_kept():
    search = WholeCases(cases_of("suite", [CASE, replace(CASE, id="other")]))
    for number in (1, 2):
        search.see(DialogueTokens(CASE), f"data.jsonl:{number}")
    assert [(found.case, found.place, found.share) for found in search.found()] == [
        ("case#1", "data.jsonl:1", 1.0),
        ("other#1", "data.jsonl:1", 1.0),
    ]


scored = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.79, 0.8, 1.0]), st.booleans()), min_size=1)


@given(scored)
def test_z_is_the_distance_of_a_groups_mean_in_standard_errors(cases):
    shares, scores = [share for share, _ in cases], [float(right) for _, right in cases]
    finding = published_test(13, shares, scores)
    sides = [
        [right for share, right in zip(shares, scores, strict=True) if inside(share)]
        for inside in (lambda s: s < CLEAN, lambda s: s >= CLEAN, lambda s: s < DIRTY, lambda s: s >= DIRTY)
    ]
    sigma = statistics.pstdev(scores)
    for bucket, side in zip(finding.buckets, sides, strict=True):
        assert bucket.num_cases == len(side)
        if not side or not sigma:
            assert bucket.z is None
            continue
        error = sigma / len(side) ** 0.5
        assert bucket.z == pytest.approx((statistics.mean(side) - statistics.mean(scores)) / error)
    significant = all(bucket.z is not None and abs(bucket.z) > 2 for bucket in finding.buckets)
    assert finding.significant == significant


def test_an_effect_is_significant_only_if_all_four_groups_show_it():
    shares = [0.0] * 100 + [0.5] * 100 + [1.0] * 100
    rising = [0.0] * 100 + [1.0] * 100 + [1.0] * 100
    both_ends = [0.0] * 60 + [1.0] * 40 + [0.5] * 100 + [0.0] * 40 + [1.0] * 60
    assert published_test(20, shares, rising).significant is True
    assert published_test(20, shares, both_ends).significant is False
    assert published_test(20, shares, None).significant is None
