"""The figures of a suite, worked out by hand."""

from dataclasses import replace

from training.scoring import ScoredCase, score

CASE = ScoredCase("1", "meals", "answer", ("No",), "answer", "no", 2, 1, 3, 3, True)


def test_figures_equal_those_counted_by_hand():
    cases = [
        CASE,
        replace(CASE, id="2", short_answer="Yes", verified=False, num_lines_that_hold=1),
        replace(CASE, id="3", group="dates", accepted=("1,500",), short_answer="$1500", num_citations=0),
        replace(CASE, id="4", expected="refusal", given="refusal", accepted=(), num_citations=0, verified=False),
        replace(
            CASE, id="5", expected="answer", given="refusal", num_citations=0, num_right_citations=0, verified=False
        ),
    ]
    cases = [replace(case, num_right_citations=min(case.num_right_citations, case.num_citations)) for case in cases]
    figures = score("hand", cases)
    assert figures["exact_match"] == 0.6
    assert figures["verdict_accuracy"] == 0.3333
    assert figures["citation_precision"] == 0.5
    assert figures["refusal"] == {"precision": 0.5, "recall": 1.0}
    assert figures["working_holds"] == round(13 / 15, 4)
    assert figures["groups"]["dates"] == {"cases": 1, "exact_match": 1.0}
    assert figures["verified"] == {"cases": 2, "precision": 1.0, "wrong_verdicts": 0}


def test_a_wrong_verdict_shown_as_verified_is_counted():
    figures = score("wrong", [replace(CASE, short_answer="Yes")])
    assert figures["verified"]["wrong_verdicts"] == 1


def test_shares_of_nothing_are_none():
    figures = score("empty", [])
    assert figures["exact_match"] is None
    assert figures["refusal"] == {"precision": None, "recall": None}
