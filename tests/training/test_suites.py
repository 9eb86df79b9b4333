"""Suites: the same each time, and counterfactual trios."""

from pathlib import Path

import pytest

from reasoning_core.prompt import Passage
from reasoning_core.response import REFUSAL, Response
from training.instructions import Dialogue, Exchange, write_dialogues
from training.suites import SUITES, load_suite, unit_of, variant_of

FACT, OTHER = Passage("Meals", "Up to 60 per day."), Passage("Hotels", "Up to 180 per night.")


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_is_the_same_each_time_and_apart_from_the_others(name: str):
    suite = load_suite(name, 20)
    assert suite == load_suite(name, 20)
    assert {dialogue.split for dialogue in suite} == {name}
    assert sum(len(dialogue.exchanges) for dialogue in suite) >= 20


def test_a_counterfactual_fact_is_asked_about_as_it_was_edited_and_removed():
    trios: dict[str, dict[str, Dialogue]] = {}
    for dialogue in load_suite("counterfactual", 60):
        trios.setdefault(unit_of(dialogue), {})[variant_of(dialogue)] = dialogue
    assert len(trios) >= 20
    assert sum("removed" in trio for trio in trios.values()) > 10
    for trio in trios.values():
        assert trio["original"].exchanges[0].question == trio["edited"].exchanges[0].question
        assert trio["original"].exchanges[0].answer != trio["edited"].exchanges[0].answer
        if "removed" in trio:
            (shown,), (left,) = trio["original"].exchanges, trio["removed"].exchanges
            cited = Response(shown.working, shown.answer).cited
            assert left.passages == tuple(p for n, p in enumerate(shown.passages, 1) if n not in cited)
            assert left.passages
            assert (left.answer, left.kind, left.working) == (REFUSAL, "refusal", ())


def counterfactual(name: str, variant: str, answer: str, *passages: Passage) -> Dialogue:
    exchange = Exchange(passages, "Is 75 allowed?", ('"Up to 60" [1]',), answer, "answer", "meals")
    return Dialogue(name, "meals", "counterfactual", ("counterfactual", variant), (exchange,))


def test_a_file_of_pairs_is_read_as_trios_and_a_fact_shown_alone_is_not_removed(tmp_path: Path):
    pairs = [
        counterfactual("a", "original", "No [1].", FACT, OTHER),
        counterfactual("b", "edited", "Yes [1].", FACT, OTHER),
        counterfactual("c", "original", "No [1].", FACT),
        counterfactual("d", "edited", "Yes [1].", FACT),
    ]
    write_dialogues(tmp_path / "pairs.jsonl", pairs)
    suite = load_suite(str(tmp_path / "pairs.jsonl"), 99)
    assert [dialogue.id for dialogue in suite] == ["a/original", "a/edited", "a/removed", "c/original", "c/edited"]
    assert {unit_of(dialogue) for dialogue in suite} == {"a", "c"}


def test_a_limit_never_cuts_a_trio(tmp_path: Path):
    assert [variant_of(d) for d in load_suite("counterfactual", 1)][:2] == ["original", "edited"]


def test_what_is_neither_a_suite_nor_a_file_is_one_sentence():
    with pytest.raises(ValueError, match=r"unknown suite 'nonsense': use one of .*values"):
        load_suite("nonsense", 3)
