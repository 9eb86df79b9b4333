"""The gate on constructed cases: each rule alone decides, and the numbers are those of resampling by hand."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from training.gate import ALL, GateRule, judge
from training.intervals import Bootstrap
from training.scoring import ScoredCase

CASE = ScoredCase("1", "meals", "answer", ("No",), "answer", "no", 1, 1, 1, 1, False)
QUICK = GateRule(bootstrap=Bootstrap(resamples=1000))


def suite(rights: Iterable[bool], verified: Iterable[int] = (), variants: tuple[str, ...] = ()) -> list[ScoredCase]:
    """Return one case for each flag; those at the places `verified` are shown as verified."""
    marked = set(verified)
    cases = []
    for place, right in enumerate(rights):
        case = replace(CASE, id=str(place), short_answer="no" if right else "yes", verified=place in marked)
        if variants:
            variant = variants[place % len(variants)]
            accepted = ("No",) if variant == "original" else ("Never",)
            given = accepted[0] if right else "yes"
            dialogue = str(place // len(variants))
            case = replace(case, variant=variant, dialogue=dialogue, accepted=accepted, short_answer=given)
        cases.append(case)
    return cases


def share(right: int, of: int) -> list[bool]:
    """Return flags that are spread evenly."""
    return [(place * right) // of != ((place + 1) * right) // of for place in range(of)]


def test_a_clear_gain_without_a_loss_passes_and_is_named():
    verdict = judge({"values": suite(share(180, 200))}, {"values": suite(share(100, 200))}, QUICK)
    assert verdict.passed
    assert verdict.reasons[0].startswith("values: better by 40.0 points (95 % interval +")
    (only,) = verdict.comparisons
    assert (only.cases, only.won - only.lost) == (200, 80)


def test_the_same_core_gains_nothing_and_does_not_pass():
    cases = {"values": suite(share(120, 200)), "turns": suite(share(90, 200))}
    verdict = judge(cases, cases, QUICK)
    assert not verdict.passed
    assert verdict.reasons == (
        "no gain is beyond chance: all suites +0.0 points (95 % interval +0.0 to +0.0), 0 questions won and 0 lost",
    )
    assert [each.suite for each in verdict.comparisons] == [ALL, "values", "turns"]


def test_a_suite_that_falls_says_no_whatever_the_others_gain():
    candidate = {"values": suite([True] * 400), "refusal": suite([False] * 20 + [True] * 180)}
    serving = {"values": suite(share(200, 400)), "refusal": suite([True] * 200)}
    verdict = judge(candidate, serving, QUICK)
    assert not verdict.passed
    (reason,) = verdict.reasons
    assert reason.startswith("refusal: worse by 10.0 points (95 % interval -")


def test_a_fall_within_a_point_or_within_chance_is_let_pass():
    gained = suite([True] * 1000), suite(share(500, 1000))
    within_a_point = suite([False] * 9 + [True] * 991), suite([True] * 1000)
    assert judge(*({"values": a, "turns": b} for a, b in zip(gained, within_a_point, strict=True)), QUICK).passed
    # 3 of 20 lost and 1 won: ten points fewer, and the interval reaches above zero.
    by_chance = suite([False] * 3 + [True] * 17), suite([True] * 3 + [False] + [True] * 16)
    assert judge(*({"values": a, "turns": b} for a, b in zip(gained, by_chance, strict=True)), QUICK).passed


def test_one_more_wrong_answer_shown_as_verified_says_no():
    serving = {"values": suite(share(100, 200), verified=[])}
    (wrong, *_) = [place for place, right in enumerate(share(180, 200)) if not right]
    candidate = {"values": suite(share(180, 200), verified=[wrong, wrong + 1])}
    verdict = judge(candidate, serving, QUICK)
    assert verdict.reasons == ("wrong answers shown as verified rise from 0 to 1",)
    assert judge(candidate, serving, replace(QUICK, extra_wrong_verified=1)).passed
    assert judge({"values": suite(share(180, 200), verified=[wrong + 1])}, serving, QUICK).passed


def test_a_strict_superset_passes_with_a_single_question_more():
    serving, candidate = suite([False, *share(100, 199)]), suite([True, *share(100, 199)])
    verdict = judge({"values": candidate}, {"values": serving}, QUICK)
    assert verdict.passed
    assert verdict.reasons == ("right wherever the serving core is, and in 1 more of 200 questions",)
    swapped = suite([True, *share(100, 198), False]), suite([False, *share(100, 198), True])
    assert not judge({"values": swapped[0]}, {"values": swapped[1]}, QUICK).passed


def test_too_few_questions_judge_nothing():
    verdict = judge({"values": suite([True] * 50)}, {"values": suite([False] * 50)}, QUICK)
    assert verdict.reasons == ("only 50 questions were asked: at least 200 are needed to judge",)
    assert judge({"values": suite([True] * 50)}, {"values": suite([False] * 50)}, replace(QUICK, min_cases=50)).passed


def test_one_lucky_suite_among_many_is_no_gain():
    """Four won and none lost of 200: beyond chance alone, not among eleven; a loss elsewhere bars the superset."""
    still = suite([True, *share(100, 199)])
    lucky = suite([True] * 104 + [False] * 96), suite([True] * 100 + [False] * 100)
    assert judge({"values": lucky[0]}, {"values": lucky[1]}, QUICK).comparisons[0].gains
    others = {f"suite {n}": still for n in range(10)}
    worse = {**others, "suite 0": suite([False, *share(100, 199)])}
    verdict = judge({"values": lucky[0], **worse}, {"values": lucky[1], **others}, QUICK)
    assert not verdict.passed
    assert verdict.reasons[0].startswith("no gain is beyond chance")


def test_answers_that_stop_following_edited_facts_say_no():
    """Every third case is an edited one that the candidate gets wrong; elsewhere it gains as many."""
    variants = ("original", "edited")
    serving = {"values": suite([False] * 300), "counterfactual": suite([True] * 200, variants=variants)}
    broken = [True, False] * 30 + [True] * 140
    candidate = {"values": suite([True] * 300), "counterfactual": suite(broken, variants=variants)}
    reasons = judge(candidate, serving, QUICK).reasons
    assert reasons[0].startswith("counterfactual: worse by 15.0 points")
    assert reasons[1].startswith("answers that follow an edited fact: worse by 30.0 points")


def test_the_interval_is_that_of_the_paired_bootstrap_by_hand():
    ours, theirs = share(70, 100), share(60, 100)
    compared = judge({"values": suite(ours)}, {"values": suite(theirs)}, QUICK).comparisons[0]
    generator, gaps = np.random.default_rng(QUICK.bootstrap.seed), []
    for _ in range(QUICK.bootstrap.resamples):
        drawn = generator.integers(100, size=100)
        gaps.append(sum(ours[i] - theirs[i] for i in drawn) / 100)
    assert compared.interval == pytest.approx(tuple(np.quantile(gaps, [0.025, 0.975])))
    assert compared.difference == pytest.approx(0.1)


def test_answers_to_different_questions_are_not_compared():
    with pytest.raises(ValueError, match="not asked the same questions of values"):
        judge({"values": suite([True] * 3)}, {"values": suite([True] * 4)})
    with pytest.raises(ValueError, match="not asked the same questions of turns"):
        judge({"values": suite([True])}, {"values": suite([True]), "turns": suite([True])})
    with pytest.raises(ValueError, match="name at least one suite"):
        judge({}, {})
