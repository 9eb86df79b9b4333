"""What is read out of a written response."""

import pytest

from reasoning_core.response import REFUSAL, Response, normalised, without_citations


@pytest.mark.parametrize(
    ("answer", "short"),
    [
        ("No. 75 is more than 60 [2].", "No"),
        ("$60 per day [1].", "$60 per day"),
        ("60.50 EUR [1]", "60.50 EUR"),
        ("2024-03-31: thirty days later [1].", "2024-03-31"),
        ("Yes; it is covered [1].", "Yes"),
        ("Approved", "Approved"),
        ("", ""),
    ],
)
def test_the_short_answer_is_what_the_answer_opens_with(answer, short):
    assert Response((), answer).short_answer == short


def test_the_refusal_is_known_whatever_space_surrounds_it():
    assert Response((), f" {REFUSAL}\n").refused
    assert not Response((), f"{REFUSAL} But 60 [1].").refused


def test_a_question_back_ends_in_a_question_mark():
    assert Response((), "Which country? ").asks_back
    assert not Response((), "Which country? Say it.").asks_back


def test_citations_count_once_in_order_working_first():
    assert Response(('"a" [3]', "1 < 2"), "Yes [1], [3] and [2].").cited == (3, 1, 2)


def test_an_endless_number_in_brackets_is_no_citation():
    assert Response((), "Yes [" + "1" * 10_000 + "] [2].").cited == (2,)


def test_citations_are_taken_out_with_the_space_before_them():
    assert without_citations("Up to 60 [2], or more [13].") == "Up to 60, or more."


@pytest.mark.parametrize(
    ("one", "other"), [("$1,500", "1500 USD"), ("The director", "director."), ("30 days", "30  Days"), ("A-1", "a-1")]
)
def test_short_answers_are_compared_without_case_currency_commas_and_articles(one, other):
    assert normalised(one) == normalised(other)


def test_different_amounts_stay_different():
    assert normalised("60") != normalised("600")
    assert normalised("6.0%") != normalised("60%")
