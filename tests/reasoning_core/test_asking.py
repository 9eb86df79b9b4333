"""What a question asks for, in whole sentences and in notes."""

import pytest

from reasoning_core import asking


@pytest.mark.parametrize(
    ("question", "verdict"),
    [
        ("May I take a taxi?", True),
        ("And is that covered?", True),
        ("342 boxes on 9 pallets, possible", True),
        ("office moves, budget $39,000, cost $48,750, new approval needed?", True),
        ("What approval is needed?", False),
        ("Which class is allowed?", False),
        ("basic price for the stand", False),
    ],
)
def test_a_yes_or_no_is_asked_for_in_sentences_and_in_notes(question, verdict):
    assert asking.asks_for_a_verdict(question) is verdict


@pytest.mark.parametrize(
    ("questions", "read_as"),
    [
        (["What is the limit for meals per day?", "And for taxis?"], 2),
        (["Who checks the ledger accounts?", "Wait, for recruiting adverts of students."], 2),
        (["Who checks the ledger accounts?", "What if it were a recruiting advert of students?"], 2),
        (["Who checks the ledger accounts?", "Which account takes recruiting adverts of students?"], 1),
        (["Who checks the ledger accounts?"], 1),
    ],
)
def test_a_follow_up_is_read_together_with_the_question_before_it(questions, read_as):
    assert asking.self_contained(questions) == questions[-read_as:]


def test_the_kind_of_answer_comes_from_the_question_that_tells_it():
    assert asking.typed(["How many days are left?", "And for one of $21?"]) == "How many days are left?"
    assert asking.typed(["The case is complex. What is the very last day?"]) == "What is the very last day?"


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What is the useful life of cameras?", {"camera"}),
        ("What is the rent for a garage for 27 days?", {"garag"}),
        ("When do claims lapse if the parties negotiated?", {"negotiat"}),
        ("What is the bonus in total for me?", set()),
        ("Who approves it?", set()),
    ],
)
def test_the_thing_asked_of_is_found_behind_its_preposition(question, named):
    assert asking.objects(question) == named


def test_money_and_persons_are_asked_for_in_their_own_words():
    assert asking.asks_for_money("How much is due in all for our container?")
    assert not asking.asks_for_money("How much notice must I give?")
    assert asking.asks_for_a_person("And which person is the warden?")
    assert not asking.asks_for_a_person("Which version applies?")
