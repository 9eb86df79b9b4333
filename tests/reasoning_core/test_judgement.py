"""The mechanical second reading: it confirms what follows, and never a verdict that does not."""

import pytest

from reasoning_core.grounding import citations
from reasoning_core.judgement import unconfirmed
from reasoning_core.prompt import Passage
from reasoning_core.response import Response
from reasoning_core.words import coverage

MAXIMUM = {1: "Meals are paid up to 60 EUR per day."}
MINIMUM = {1: "Leave requests are filed at least 14 days before the first day of leave."}


def doubts(question: str, answer: str, *working: str, passages: dict[int, str], before: str = "") -> tuple[str, ...]:
    response = Response(working, answer)
    questions = [q for q in (before, question) if q]
    return unconfirmed(
        response, questions, citations(response, passages), {n: Passage("", t) for n, t in passages.items()}
    )


def meals(question: str, answer: str, claim: str, **more) -> tuple[str, ...]:
    return doubts(question, answer, '"up to 60 EUR" [1]', claim, passages=MAXIMUM, **more)


def leave(question: str, answer: str, claim: str) -> tuple[str, ...]:
    return doubts(question, answer, '"at least 14 days" [1]', claim, passages=MINIMUM)


@pytest.mark.parametrize(
    ("asked", "answer", "claim"),
    [
        (75, "No [1].", "75 > 60"),
        (60, "Yes [1].", "60 <= 60"),
        (45, "Yes [1].", "45 < 60"),
        (60, "Yes [1].", "60 = 60"),
    ],
)
def test_a_verdict_that_follows_from_a_maximum_is_confirmed(asked, answer, claim):
    assert meals(f"Can I claim {asked} EUR for meals per day?", answer, claim) == ()


@pytest.mark.parametrize(("asked", "answer", "claim"), [(10, "No [1].", "10 < 14"), (20, "Yes [1].", "20 >= 14")])
def test_a_verdict_that_follows_from_a_minimum_is_confirmed(asked, answer, claim):
    assert leave(f"Is a leave request filed {asked} days before acceptable?", answer, claim) == ()


@pytest.mark.parametrize(
    ("asked", "answer", "claim"), [(75, "Yes [1].", "75 > 60"), (45, "No [1].", "45 < 60"), (60, "No [1].", "60 = 60")]
)
def test_the_opposite_verdict_is_never_confirmed(asked, answer, claim):
    assert "does not follow" in meals(f"Can I claim {asked} EUR for meals per day?", answer, claim)[0]


@pytest.mark.parametrize("claim", ["80 > 60", "75 > 70", "75 - 60 = 15", "75 > 60 1"])
def test_a_claim_about_other_numbers_confirms_no_verdict(claim):
    assert "code cannot derive" in meals("Can I claim 75 EUR for meals per day?", "No [1].", claim)[0]


def test_a_claim_that_does_not_hold_confirms_no_verdict():
    assert "code cannot derive" in meals("Can I claim 45 EUR for meals per day?", "No [1].", "45 > 60")[0]


@pytest.mark.parametrize(
    ("rule", "question", "claim"),
    [
        ("Hotels above 60 EUR need approval.", "Do I need approval for a hotel of 60 EUR?", "60 = 60"),
        ("Hotels above 60 EUR need approval.", "Do I need approval for a hotel of 60 EUR?", "60 >= 60"),
        ("Taxis under 60 EUR can be claimed.", "Can I claim a taxi of 60 EUR?", "60 <= 60"),
        ("Purchases over 500 EUR require a director.", "Can a manager sign purchases of 600 EUR?", "600 > 500"),
        ("Purchases over 500 EUR are approved by a director.", "Can a manager approve purchases of 600?", "600 > 500"),
        ("Meals above 30 EUR are not paid.", "Can I claim 45 EUR for meals?", "45 > 30"),
        ("A taxi of at most 50 EUR is not covered.", "Is a taxi of 40 EUR covered?", "40 < 50"),
    ],
)
def test_a_rule_that_bounds_forbids_or_demands_otherwise_confirms_no_yes(rule, question, claim):
    assert doubts(question, "Yes [1].", f'"{rule}" [1]', claim, passages={1: rule}) != ()


def test_a_duty_below_a_bound_confirms_no_no():
    rule = "Taxis up to 50 EUR must be booked in the portal."
    question = "Must a taxi of 40 EUR be booked in the portal?"
    assert doubts(question, "No [1].", f'"{rule}" [1]', "40 < 50", passages={1: rule}) != ()


def test_a_question_that_denies_is_left_open():
    assert meals("Is 75 EUR for meals per day not allowed?", "Yes [1].", "75 > 60") != ()


def test_a_follow_up_asks_about_its_own_number():
    before = "Can I claim 45 EUR for meals per day?"
    assert meals("What about 75?", "No [1].", "75 > 60", before=before) == ()
    assert meals("What about 75?", "Yes [1].", "45 < 60", before=before) != ()


def test_an_answer_that_cites_nothing_is_not_confirmed():
    assert doubts("Can I claim 75 EUR?", "No.", "75 > 60", passages=MAXIMUM) == ("no passage is cited",)


def test_an_exception_beside_the_cited_words_is_not_passed_over():
    passages = {1: "Meals are paid up to 60 EUR per day. This does not apply in Norway."}
    question, line = "How high is the limit for meals per day?", '"Meals are paid up to 60 EUR per day." [1]'
    assert "an exception stands beside the cited words" in doubts(question, "60 EUR [1].", line, passages=passages)
    quoted = '"This does not apply in Norway." [1]'
    assert "an exception stands beside the cited words" not in doubts(
        question, "60 EUR [1].", line, quoted, passages=passages
    )


def test_a_sentence_that_fits_the_question_better_is_not_passed_over():
    passages = {1: "Meals are paid up to 60 EUR.", 2: "Meals in Norway are paid up to 90 EUR."}
    found = doubts("How much is paid for meals in Norway?", "60 EUR [1].", '"up to 60 EUR" [1]', passages=passages)
    assert "another sentence fits the question better" in found


def test_words_on_another_subject_are_not_confirmed():
    found = doubts("Which laptop model do engineers receive?", "60 EUR [1].", '"60 EUR" [1]', passages=MAXIMUM)
    assert "the cited words share too little with the question" in found


def test_coverage_is_the_share_of_topic_words_found():
    assert coverage("meals in Norway", ["Meals are paid."]) == 0.5
    assert coverage("May I have 75?", []) == 1.0


FORBIDDEN = {1: "Contractors are excluded from the bonus plan.", 2: "The canteen is open to all."}


def test_an_outright_prohibition_confirms_a_no_for_those_it_names_and_for_nobody_else():
    quote = '"are excluded from the bonus plan" [1]'
    assert doubts("Are contractors eligible for the bonus plan?", "No [1].", quote, passages=FORBIDDEN) == ()
    assert doubts("Are contractors eligible for the bonus plan?", "Yes [1].", quote, passages=FORBIDDEN) != ()
    assert doubts("Are interns eligible for the bonus plan?", "No [1].", quote, passages=FORBIDDEN) != ()


TABLE = {1: "| City | Meals | Hotel |\n|---|---|---|\n| Oslo | $40 | $210 |\n| Rome | $45 | $190 |"}


def test_a_table_row_is_read_with_the_names_of_its_columns():
    question = "How much is a hotel in Rome?"
    assert doubts(question, "$190 [1].", '"Rome | $45 | $190" [1]', passages=TABLE) == ()
    assert doubts(question, "$210 [1].", '"Oslo | $40 | $210" [1]', passages=TABLE) != ()


@pytest.mark.parametrize(
    ("rule", "question", "answer", "quote", "doubt"),
    [
        (
            "The useful life of lifts is 7 years.",
            "What is the useful life of cameras?",
            "7 years [1].",
            "7 years",
            "the cited words do not name what is asked about",
        ),
        (
            "Shipping is free from $240; below that, shipping costs $32.",
            "How much is shipping?",
            "$240 [1].",
            "free from $240",
            "the cited words hold another value of this kind (32)",
        ),
        (
            "Leases are signed by the head of sales and the COO.",
            "The COO signed the lease. Who else signs leases?",
            "The COO [1].",
            "the COO",
            "the question asks for a place in an order",
        ),
        (
            "The warden of the paint shop sits in zone 69.",
            "Who is the warden of the paint shop?",
            "Zone 69 [1].",
            "zone 69",
            "the question asks for a person",
        ),
        (
            "Network problems go to the Security team.",
            "Who gets network problems?",
            "The team [1].",
            "the Security team",
            "the answer is no wording of the cited words",
        ),
        (
            "The terminal costs nothing for the first 6 days.",
            "How much is due for the terminal?",
            "6 days [1].",
            "first 6 days",
            "the question asks for money",
        ),
        (
            "The board has 5 members who vote.",
            "How many votes does the board have?",
            "5 members [1].",
            "5 members",
            "the question counts something else",
        ),
        (
            "The guest network is open to private devices.",
            "What is the password of the guest network?",
            "The guest network [1].",
            "The guest network",
            "the answer repeats the question",
        ),
    ],
)
def test_a_value_that_code_cannot_tell_from_another_is_not_confirmed(rule, question, answer, quote, doubt):
    assert doubt in doubts(question, answer, f'"{quote}" [1]', passages={1: rule})


def test_a_comparison_with_one_of_two_numbers_confirms_no_verdict():
    rule = {1: "The lift takes up to 3,090 kilograms."}
    found = doubts(
        "Can the lift take 1,890 and 2,310 kilograms?", "Yes [1].", '"up to 3,090" [1]', "2,310 < 3,090", passages=rule
    )
    assert "code cannot derive the verdict from the cited words" in found


def test_a_sentence_that_permits_with_an_exception_confirms_no_outright_verdict():
    rule = {1: "Everyone may receive an office key, except agency workers."}
    found = doubts("May agency workers receive an office key?", "Yes [1].", f'"{rule[1]}" [1]', passages=rule)
    assert "code cannot derive the verdict from the cited words" in found


def test_a_row_whose_header_was_cut_off_is_read_with_the_columns_in_the_heading():
    row = Passage("Rates > Table: City | Meals | Hotel", "| Rome | $45 | $190 |")
    quote, question = '"Rome | $45 | $190" [1]', "How much is a hotel in Rome?"
    for heading, doubtful in ((row.heading, False), ("Rates", True)):
        passages = {1: Passage(heading, row.text)}
        response = Response((quote,), "$190 [1].")
        found = unconfirmed(response, [question], citations(response, {1: row.text}), passages)
        assert bool(found) is doubtful


@pytest.mark.parametrize(
    ("rule", "claim", "doubtful"),
    [
        ("Form S-1 is sent 6 months before the start.", "2027-12-01 + 6 m = 2028-06-01", True),
        ("Form S-1 is sent 6 months before the start.", "2027-12-01 - 6 m = 2027-06-01", False),
        ("Form S-1 is sent within 6 months after the start.", "2027-12-01 - 6 m = 2027-06-01", True),
        ("Form S-1 is sent within 6 months after the start.", "2027-12-01 + 6 m = 2028-06-01", False),
    ],
)
def test_a_date_is_counted_in_the_direction_of_the_cited_words(rule, claim, doubtful):
    question = "We start on 2027-12-01. When is form S-1 sent?"
    found = doubts(question, f"{claim[-10:]} [1].", f'"{rule}" [1]', claim, passages={1: rule})
    assert ("the date runs the other way" in found) is doubtful


def test_words_that_are_counted_twice_are_doubted():
    rule = {1: "Employees have 10 paid days after a move."}
    quote = '"10 paid days" [1]'
    found = doubts("How many paid days?", "20 days [1].", quote, quote, "10 + 10 = 20", passages=rule)
    assert "the same words are counted twice" in found
