"""Suites read by the serving reader: what is expected, what is refused, and the command's report."""

import json
from pathlib import Path

import pytest
import torch

from reasoning_core.checkpoint import save_checkpoint
from reasoning_core.grounding import PassageCitation
from reasoning_core.model import HrmTextCore
from reasoning_core.reader import Answer
from reasoning_core.response import Response
from reasoning_core.tokenizer import CoreTokenizer
from training.command_line import main
from training.evaluation import SUITES, load_suite, scored
from training.instructions import Exchange
from training.sizes import config_of_size

EXCHANGE = Exchange(
    (), "Can I claim 75?", ('"up to 60" [2]', "75 > 60"), "No. 75 is more than 60 [2].", "answer", "meals"
)


def answer(text: str, *citations: PassageCitation, kind: str = "answer") -> Answer:
    return Answer(kind, Response((), text), text, citations, (), False, (), 1, 0, 1, "core")


def test_a_right_answer_from_the_right_passage_scores_in_full():
    case = scored("1", EXCHANGE, answer("no [2].", PassageCitation(2, 0, 8)))
    assert case.right
    assert (case.num_citations, case.num_right_citations) == (1, 1)


def test_a_citation_of_another_passage_is_wrong_and_a_quotation_is_no_answer():
    case = scored("1", EXCHANGE, answer("No [1].", PassageCitation(1, 0, 8)))
    assert (case.num_citations, case.num_right_citations) == (1, 0)
    assert not scored("1", EXCHANGE, answer("No [2].", PassageCitation(2, 0, 8), kind="quotation")).right


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_is_the_same_each_time_and_apart_from_the_others(name: str):
    suite = load_suite(name, 20)
    assert suite == load_suite(name, 20)
    assert {dialogue.split for dialogue in suite} == {name}


def test_the_command_prints_one_json_report_for_a_core(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tokenizer = CoreTokenizer.train(["meals are paid up to 60 per day"], 320)
    model = HrmTextCore(config_of_size("nano", tokenizer.vocabulary_size))
    model.initialise(torch.Generator().manual_seed(0))
    save_checkpoint(tmp_path / "core", model, tokenizer, lineage={}, card="A random core.")
    assert main(["evaluate", str(tmp_path / "core"), "--suite", "refusal", "--limit", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["suite"] == "refusal"
    assert report["cases"] >= 2


def test_an_unknown_suite_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", str(tmp_path), "--suite", "values"]) == 2
    assert "config.json" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(ValueError, match="unknown suite 'nonsense'"):
        load_suite("nonsense", 3)
