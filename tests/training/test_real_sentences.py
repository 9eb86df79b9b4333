"""Questions made from plain sentences: what is asked, what is quoted, and that the number is never the document's."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.working import check
from training.real_sentences import question_of, states_a_number, states_something

STATEMENTS = [
    "One host may accompany at most 6 visitors in the workshops.",
    "Requests must be answered within 30 days of arrival.",
    "You can edit a message for 5 minutes after it is posted.",
    "The lease of a bicycle may cost up to $3,200.",
    "Employees receive 12 weeks of paid leave after the birth of a child.",
    "A new hire should complete the training within 2 business days.",
    "The notice period is 45 days for all contracts.",
]
AGENTS = ["Expense reports are approved by the finance team.", "Incidents must be reviewed by the safety officer."]
DEFINITIONS = ["A guild is a group of people with the same interest."]


def follows(quote: str, claim: str) -> bool:
    """Tell whether the amount of a comparison keeps to the bound that is quoted."""
    return " > " not in claim if not quote.startswith("at least") else " < " not in claim


@given(st.sampled_from(STATEMENTS), st.integers(0, 10_000))
def test_an_amount_is_drawn_anew_quoted_and_asked_for(sentence, seed):
    found = question_of(sentence, random.Random(seed))
    if found is None:
        return
    assert found.quote in found.sentence
    if found.working:
        assert check(found.working[0], {}).holds
        assert found.answer.startswith("Yes") is follows(found.quote, found.working[0])
    else:
        assert found.answer in found.quote
        assert found.answer not in found.question
    assert re.sub(r"\d[\d,]*", "#", found.sentence) == re.sub(r"\d[\d,]*", "#", sentence)


@pytest.mark.parametrize("sentence", STATEMENTS)
def test_every_statement_is_asked_about_in_some_form(sentence):
    assert states_a_number(sentence)
    assert sum(question_of(sentence, random.Random(seed)) is not None for seed in range(20)) >= 15


def test_a_sentence_with_a_modal_is_turned_round():
    asked = {found.question for seed in range(60) if (found := question_of(STATEMENTS[0], random.Random(seed)))}
    assert "At most how many visitors may one host accompany in the workshops?" in asked
    asked = {found.question for seed in range(60) if (found := question_of(STATEMENTS[1], random.Random(seed)))}
    assert "Within how many days must requests be answered of arrival?" in asked


def test_a_bound_is_asked_about_on_both_sides_of_it_and_at_it():
    found = [question_of(STATEMENTS[0], random.Random(seed)) for seed in range(300)]
    claims = [each.working[0].split(" ")[1] for each in found if each and each.working]
    assert {"<", ">", "="} == set(claims)


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        (AGENTS[0], "By whom are expense reports approved?", "the finance team"),
        (AGENTS[1], "By whom must incidents be reviewed?", "the safety officer"),
        (DEFINITIONS[0], "What is a guild?", "a group of people with the same interest"),
    ],
)
def test_who_does_something_and_what_something_is_can_be_asked(sentence, question, answer):
    assert states_something(sentence)
    found = [question_of(sentence, random.Random(seed)) for seed in range(20)]
    assert question in {each.question for each in found if each}
    assert {each.answer for each in found if each} == {answer}


@pytest.mark.parametrize(
    "sentence",
    [
        "Welcome to the handbook!",
        "See section 4.2.",
        "It was written in 2019.",
        "Reports are filed by clicking the button.",
        'The word "12 days" is quoted.',
        "See [12 days](https://example.org).",
    ],
)
def test_nothing_is_asked_where_no_pattern_fits(sentence):
    assert all(question_of(sentence, random.Random(seed)) is None for seed in range(20))
