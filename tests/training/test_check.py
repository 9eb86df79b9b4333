"""The check of instruction data: what it finds, and the command around it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reasoning_core.checkpoint import save_checkpoint
from reasoning_core.model import HrmTextCore
from reasoning_core.prompt import Passage
from reasoning_core.response import REFUSAL
from reasoning_core.tokenizer import CoreTokenizer
from training.command_line import main
from training.contamination_guard import refuse_contaminated
from training.generator import generate
from training.instructions import Dialogue, Exchange, write_dialogues
from training.rulebook import load_rulebooks
from training.sizes import config_of_size
from training.soundness import faults_of
from training.suites import load_suite

EXCHANGE = Exchange(
    (Passage("Travel > Meals", "Meals on business travel are paid up to $60 per day and person, drinks included."),),
    "Can I spend $75 on meals?",
    ('"up to $60 per day" [1]', "75 > 60"),
    "No. 75 is more than 60 [1].",
    "answer",
    "meals",
)
DIALOGUE = Dialogue("a", "meals", "train", (), (EXCHANGE,))


def changed(name: str, **parts: Any) -> Dialogue:
    return replace(DIALOGUE, id=name, exchanges=(replace(EXCHANGE, **parts),))


def checked(path: Path, dialogues: list[Dialogue], capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    write_dialogues(path, dialogues)
    code = main(["check", str(path), "--json", "--suite", "values", "--limit", "5", *options])
    report = json.loads(capsys.readouterr().out)
    assert report["exit_code"] == code
    return report


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"working": ('"up to $80 per day" [1]',)}, "these words do not stand in passage 1"),
        ({"working": ("75 < 60",)}, "does not hold: 75 < 60"),
        ({"answer": "No [2]."}, "passage 2 is cited and 1 are shown"),
        ({"answer": REFUSAL}, "the kind is answer and the answer is"),
        ({"kind": "refusal"}, "the kind is refusal and the answer is not"),
        ({"kind": "question"}, "the kind is question"),
        ({"answer": "For how many days?", "working": ()}, "the kind is answer and the answer 'For how many days?'"),
    ],
)
def test_a_response_that_the_reader_would_not_accept_is_a_fault(parts, fault):
    (found, *_) = faults_of(changed("a", **parts))
    assert fault in found


def test_a_response_that_is_not_learned_has_no_faults():
    wrong = replace(EXCHANGE, working=("75 < 60",), passages=())
    assert list(faults_of(replace(DIALOGUE, exchanges=(EXCHANGE, replace(wrong, supervised=False))))) == []
    (fault,) = faults_of(replace(DIALOGUE, exchanges=(EXCHANGE, wrong)))
    assert fault.startswith("turn 2: ")


def test_clean_data_are_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    report = checked(tmp_path / "data.jsonl", list(generate(load_rulebooks(None), 40, 1, "train")), capsys)
    assert report["exit_code"] == 0
    assert report["files"][0]["dialogues"] == 40
    assert report["suites"][0]["cases"] >= 5
    assert [finding["n"] for finding in report["suites"][0]["ngrams"]] == [13, 20]
    assert all(finding["significant"] is None for finding in report["suites"][0]["ngrams"])


def test_every_bad_line_is_named_and_makes_the_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "data.jsonl"
    write_dialogues(path, [DIALOGUE, changed("b", working=("75 < 60",))])
    path.write_text(path.read_text() + "{\n[]\n")
    assert main(["check", str(path), "--json", "--suite", "values", "--limit", "5"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert [fault["place"] for fault in report["malformed"]["first"]] == [f"{path}:3", f"{path}:4"]
    assert [fault["place"] for fault in report["unsound"]["first"]] == [f"{path}:2"]


def test_repeated_dialogues_are_counted_and_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    longer = f"{EXCHANGE.passages[0].text} Receipts are due within thirty days of the last day of every trip you make."
    original = changed("long", passages=(Passage("Travel > Meals", longer),))
    nearly = changed("near", passages=(Passage("Travel", longer.replace("every trip", "any trip")),))
    report = checked(tmp_path / "data.jsonl", [original, replace(original, id="again"), nearly], capsys)
    assert report["exit_code"] == 0
    assert report["duplicates"]["first"] == [
        {"place": f"{tmp_path / 'data.jsonl'}:2", "of": f"{tmp_path / 'data.jsonl'}:1"}
    ]
    assert [pair["place"].rpartition(":")[2] for pair in report["near_duplicates"]["first"]] == ["3"]


def test_a_question_with_its_passages_in_two_splits_is_a_leak(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = Passage("Travel > Hotels", "Hotels cost up to $150.")
    here = changed("here", passages=(*EXCHANGE.passages, other))
    there = replace(changed("there", passages=(other, *EXCHANGE.passages), answer="No [2]."), split="test")
    report = checked(tmp_path / "data.jsonl", [here, there, replace(DIALOGUE, split="test")], capsys)
    assert report["leaks"]["count"] == 1
    assert report["leaks"]["first"][0]["question"] == EXCHANGE.question
    assert (report["contaminated"], report["exit_code"]) == (True, 2)


def test_a_suite_in_the_data_is_found_case_by_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    stolen = load_suite("values", 5)[0]
    report = checked(tmp_path / "data.jsonl", [replace(stolen, split="train", id="mine")], capsys)
    (suite,) = report["suites"]
    assert [case["case"] for case in suite["whole_cases"]] == [
        f"{stolen.id}#{turn}" for turn in range(1, len(stolen.exchanges) + 1)
    ]
    assert report["exit_code"] == 1


def test_files_that_must_not_stand_in_the_data_are_suites_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_dialogues(tmp_path / "exam.jsonl", [DIALOGUE])
    report = checked(tmp_path / "data.jsonl", [DIALOGUE], capsys, "--against", str(tmp_path / "exam.jsonl"))
    suite = report["suites"][-1]
    assert (suite["expected"], len(suite["whole_cases"])) == ("nothing", 1)
    assert suite["ngrams"][0]["mean_share"] == 1.0


def test_a_core_that_is_asked_gives_the_published_test_its_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tokenizer = CoreTokenizer.train(["meals are paid up to 60 per day"], 320)
    model = HrmTextCore(config_of_size("nano", tokenizer.vocabulary_size))
    model.initialise(torch.Generator().manual_seed(0))
    save_checkpoint(tmp_path / "core", model, tokenizer, lineage={}, card="A random core.")
    options = ["--core", str(tmp_path / "core"), "--scores", str(tmp_path / "cases.jsonl"), "--suite", "refusal"]
    write_dialogues(tmp_path / "data.jsonl", [DIALOGUE])
    arguments = ["check", str(tmp_path / "data.jsonl"), "--limit", "2", "--json", *options]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    kept = [json.loads(line) for line in (tmp_path / "cases.jsonl").read_text().splitlines()]
    assert report["suites"][0]["mean_score"] == sum(case["right"] for case in kept) / len(kept)
    assert report["suites"][0]["ngrams"][0]["significant"] is False
    assert main(arguments) == 0  # from the kept cases
    assert json.loads(capsys.readouterr().out) == report


def test_the_report_is_readable_and_kept_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_dialogues(tmp_path / "data.jsonl", [changed("b", working=("75 < 60",))])
    arguments = ["check", str(tmp_path / "data.jsonl"), "--suite", "values", "--limit", "5"]
    assert main([*arguments, "--report", str(tmp_path / "report.json")]) == 2
    shown = " ".join(capsys.readouterr().out.split())
    assert "unsound responses: 1" in shown
    assert "75 < 60" in shown
    assert "values: templates and names are shared" in shown
    assert json.loads((tmp_path / "report.json").read_text())["unsound"]["count"] == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "nowhere.jsonl"], "there is no data file nowhere.jsonl"),
        (["check", "{data}", "--scores", "x"], "name it with --core"),
        (["check", "{data}", "--suite", "nonsense"], "unknown suite 'nonsense'"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(tmp_path: Path, capsys, arguments, sentence):
    write_dialogues(tmp_path / "data.jsonl", [DIALOGUE])
    assert main([part.format(data=tmp_path / "data.jsonl") for part in arguments]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_contaminated_data_are_refused(tmp_path: Path):
    path = tmp_path / "data.jsonl"
    stolen = load_suite("families", 3)[0]
    write_dialogues(path, [DIALOGUE])
    refuse_contaminated([path], ["families"], 3)
    write_dialogues(path, [DIALOGUE, replace(stolen, split="train")])
    with pytest.raises(ValueError, match=f"data.jsonl:2 holds the case {stolen.id}#1 of the suite families"):
        refuse_contaminated([path], ["families"], 3)
