"""The figures of a suite, worked out by hand."""

from dataclasses import replace

import pytest

from training.intervals import Bootstrap, intervals
from training.scoring import ScoredCase, exact_match, score

CASE = ScoredCase("1", "meals", "answer", ("No",), "answer", "no", 2, 1, 3, 3, True)
WRONG = replace(CASE, short_answer="Yes")
REFUSED = replace(CASE, expected="refusal", given="refusal", accepted=(), num_citations=0, verified=False)


def test_figures_equal_those_counted_by_hand():
    cases = [
        CASE,
        replace(CASE, id="2", short_answer="Yes", verified=False, num_lines_that_hold=1),
        replace(CASE, id="3", group="dates", accepted=("1,500",), short_answer="$1500", num_citations=0),
        replace(REFUSED, id="4"),
        replace(
            CASE, id="5", expected="answer", given="refusal", num_citations=0, num_right_citations=0, verified=False
        ),
    ]
    cases = [replace(case, num_right_citations=min(case.num_right_citations, case.num_citations)) for case in cases]
    figures = score("hand", cases)
    assert figures["exact_match"] == 0.6
    assert figures["verdict_accuracy"] == 0.3333
    assert figures["citation_precision"] == 0.5
    assert figures["refusal"] == {"precision": 0.5, "recall": 1.0, "f1": 0.6667}
    assert figures["working_holds"] == round(13 / 15, 4)
    assert figures["groups"]["dates"] == {"cases": 1, "exact_match": 1.0}
    assert figures["verified"] == {"cases": 2, "precision": 1.0, "wrong": 0, "wrong_verdicts": 0}


def test_a_wrong_verdict_shown_as_verified_is_counted():
    figures = score("wrong", [WRONG])
    assert (figures["verified"]["wrong"], figures["verified"]["wrong_verdicts"]) == (1, 1)


def test_shares_of_nothing_are_none():
    figures = score("empty", [])
    assert figures["exact_match"] is None
    assert figures["refusal"] == {"precision": None, "recall": None, "f1": None}
    assert (figures["intervals"], figures["calibration"]["ece"], figures["counterfactual"]) == ({}, None, None)


def test_refusal_f1_is_the_harmonic_mean_of_precision_and_recall():
    missed = replace(REFUSED, given="answer")
    over = replace(CASE, given="refusal")
    cases = [replace(case, id=str(n)) for n, case in enumerate([REFUSED, REFUSED, REFUSED, missed, over, over])]
    refusal = score("refusals", cases)["refusal"]
    precision, recall = 3 / 5, 3 / 4
    assert refusal["precision"] == precision
    assert refusal["recall"] == recall
    assert refusal["f1"] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-4)


def test_an_interval_is_over_dialogues_and_holds_its_figure():
    cases = [
        replace(CASE if (dialogue + turn) % 3 else WRONG, id=f"{dialogue}#{turn}", dialogue=str(dialogue), turn=turn)
        for dialogue in range(10)
        for turn in (1, 2)
    ]
    figures = score("turns", cases, Bootstrap(resamples=300, seed=1))
    assert len(exact_match(cases).parts) == figures["dialogues"] == 10
    low, high = figures["intervals"]["exact_match"]
    assert low <= figures["exact_match"] <= high
    by_hand = intervals({"it": exact_match(cases)}, Bootstrap(resamples=300, seed=1))["it"]
    assert (low, high) == pytest.approx(by_hand, abs=1e-4)


def test_turns_are_reported_by_their_number():
    cases = [replace(CASE, id="a#1"), replace(WRONG, id="a#2", turn=2), replace(CASE, id="b#2", turn=2)]
    turns = score("turns", cases)["turns"]
    assert {turn: (part["cases"], part["exact_match"]) for turn, part in turns.items()} == {
        "1": (1, 1.0),
        "2": (2, 0.5),
    }


def test_a_pair_follows_only_if_both_answers_are_right_and_a_removed_fact_is_to_be_refused():
    def trio(name: str, original: ScoredCase, edited: ScoredCase, removed: ScoredCase) -> list[ScoredCase]:
        edited = replace(edited, accepted=("Yes",), short_answer="yes" if edited.right else "no")
        variants = {"original": original, "edited": edited, "removed": removed}
        return [replace(case, id=f"{name}/{v}", dialogue=name, variant=v) for v, case in variants.items()]

    answered = replace(REFUSED, given="answer")
    cases = [*trio("1", CASE, CASE, REFUSED), *trio("2", CASE, WRONG, REFUSED), *trio("3", WRONG, CASE, answered)]
    same = [replace(case, accepted=("No",), short_answer="no") for case in trio("5", CASE, CASE, REFUSED)[:2]]
    figures = score("counterfactual", [*cases, *trio("4", CASE, CASE, REFUSED)[:2], *same])
    assert figures["counterfactual"] == {"pairs": 4, "follow": 0.5, "removed": 3, "refuses": 0.6667}
    assert set(figures["intervals"]) >= {"follow", "refuses"}


def test_confidence_is_held_against_what_the_core_itself_claims():
    cases = [
        replace(CASE, id="1", confidence=0.9),
        replace(WRONG, id="2", confidence=0.7),
        replace(CASE, id="3", given="quotation", confidence=0.2),
        replace(CASE, id="4"),
    ]
    calibration = score("calibration", cases)["calibration"]
    assert calibration["cases"] == 2
    assert calibration["ece"] == pytest.approx(0.5 * abs(1 - 0.9) + 0.5 * abs(0 - 0.7))
    assert [row["cases"] for row in calibration["table"]] == [1, 1]


def test_cost_is_the_mean_of_what_is_known():
    cases = [replace(CASE, id="1", num_tokens=10, seconds=0.5), replace(CASE, id="2", num_tokens=20, seconds=1.5)]
    assert score("cost", [*cases, CASE])["cost"] == {"tokens_per_answer": 15.0, "seconds_per_answer": 1.0}
