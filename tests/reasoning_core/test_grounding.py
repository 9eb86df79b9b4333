"""Citations are exact to the character; what no source holds is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.grounding import PassageCitation, citations, ungrounded
from reasoning_core.response import Response

PASSAGES = {
    1: "Travel. Meals are paid up to 60 EUR per day. Hotels are paid up to 180 EUR per night.",
    2: "Requests are filed within 30 days. Anna Berg approves them.",
}
QUESTION = ["May I claim 75 EUR for meals on 2024-03-01?"]


def problems(answer: str, *working: str, questions: list[str] = QUESTION) -> tuple[str, ...]:
    response = Response(working, answer)
    return ungrounded(response, citations(response, PASSAGES), PASSAGES, questions)


@given(st.data(), st.sampled_from([1, 2]))
def test_a_quote_is_cited_where_its_words_stand(data, n):
    start = data.draw(st.integers(0, len(PASSAGES[n]) - 1))
    words = PASSAGES[n][start : data.draw(st.integers(start + 1, len(PASSAGES[n])))]
    (citation,) = citations(Response((f'"{words}" [{n}]',), "Yes."), PASSAGES)
    assert PASSAGES[n][citation.start : citation.end] == words
    assert citation.n == n


@pytest.mark.parametrize("line", ['"up to 99 EUR" [1]', '"up to 60 EUR" [3]', "up to 60 EUR [2]", '"Meals" [2]'])
def test_words_that_do_not_stand_there_are_not_a_citation(line):
    assert citations(Response((line,), "Yes."), PASSAGES) == ()


def test_an_answer_without_working_is_held_to_the_sentence_that_it_repeats():
    (citation,) = citations(Response((), "Meals are paid up to 60 EUR per day [1]."), PASSAGES)
    assert PASSAGES[1][citation.start : citation.end] == "Meals are paid up to 60 EUR per day."


@pytest.mark.parametrize("answer", ["Meals are paid up to 90 EUR per day [1].", "Pigs fly [1].", "Meals are paid [7]."])
def test_an_answer_that_repeats_no_sentence_cites_nothing(answer):
    assert citations(Response((), answer), PASSAGES) == ()


def test_the_same_place_is_cited_once():
    line = '"60 EUR" [1]'
    assert citations(Response((line, line), "Yes [1]."), PASSAGES) == (PassageCitation(1, 29, 35),)


def test_values_from_quotes_questions_and_results_are_grounded():
    assert problems("No. 75 is more than 60 by 15 [1].", '"up to 60 EUR" [1]', "75 > 60", "75 - 60 = 15") == ()


@pytest.mark.parametrize(
    ("answer", "working", "missing"),
    [
        ("No. The limit is 61 [1].", ('"up to 60 EUR" [1]',), ("61",)),
        ("No [1].", ('"up to 60 EUR" [1]', "75 > 50"), ("50",)),
        ("By 2024-05-05 [2].", ('"within 30 days" [2]',), ("2024-05-05",)),
        ("Ask Carla first [1].", ('"up to 60 EUR" [1]',), ("Carla", "first")),
        ("It is 180 [1].", ('"up to 60 EUR" [1]',), ("180",)),
    ],
)
def test_a_value_or_name_that_no_cited_words_hold_is_named(answer, working, missing):
    assert problems(answer, *working) == missing


def test_a_result_counts_only_for_the_lines_behind_it():
    assert problems("No [1].", '"up to 60 EUR" [1]', "15 + 60 = 75", "75 - 60 = 15") == ("15",)


def test_thousands_commas_do_not_make_another_number():
    passages = {1: "The budget is 1,500 EUR."}
    response = Response(('"1,500 EUR" [1]',), "It is 1500 [1].")
    assert ungrounded(response, citations(response, passages), passages, []) == ()


def test_every_word_of_a_value_must_have_been_read():
    passages = {1: "For parcels write to people@galma.example."}
    quote = '"write to people@galma.example" [1]'
    right, wrong = (
        Response((quote,), f"{address} [1].") for address in ("People@galma.example", "Safety@cormere.example")
    )
    question = ["Where do I write about parcels?"]
    assert ungrounded(right, citations(right, passages), passages, question) == ()
    assert ungrounded(wrong, citations(wrong, passages), passages, question) == ("Safety@cormere.example",)


def test_a_date_in_words_grounds_the_same_date_as_the_working_writes_it():
    passages = {1: "In force from 31 March 2027 on."}
    response = Response(('"from 31 March 2027" [1]', "2027-05-01 > 2027-03-31"), "Yes. It is in force [1].")
    assert ungrounded(response, citations(response, passages), passages, ["Is it in force on 2027-05-01?"]) == ()
