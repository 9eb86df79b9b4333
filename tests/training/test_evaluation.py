"""Suites read by the serving reader: what is expected, what is refused, and the command's documents and exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reasoning_core.checkpoint import save_checkpoint
from reasoning_core.engine import Engine
from reasoning_core.grounding import PassageCitation
from reasoning_core.prompt import Passage
from reasoning_core.reader import Answer, Reader, ReaderOptions
from reasoning_core.response import Response
from tests.reasoning_core.tiny import tiny_checkpoint, tiny_config, tiny_model, tiny_tokenizer
from training.case_file import CaseFile
from training.command_line import main
from training.evaluation import evaluate, scored
from training.instructions import Dialogue, Exchange, write_dialogues

EXCHANGE = Exchange(
    (), "Can I claim 75?", ('"up to 60" [2]', "75 > 60"), "No. 75 is more than 60 [2].", "answer", "meals"
)
FIRST = Exchange((Passage("Meals", "Meals are paid up to 60."),), "Is 75 paid?", (), "No [1].", "answer", "meals")
SECOND = Exchange((), "And 50?", (), "Yes [1].", "answer", "meals")


def answer(text: str, *citations: PassageCitation, kind: str = "answer") -> Answer:
    return Answer(kind, Response((), text), text, citations, (), False, (), 1, 0, 1, "core")


def dialogues(count: int) -> list[Dialogue]:
    return [Dialogue(f"d{n}", "meals", "file", (), (FIRST, SECOND)) for n in range(count)]


def test_a_right_answer_from_the_right_passage_scores_in_full():
    case = scored("1", EXCHANGE, answer("no [2].", PassageCitation(2, 0, 8)))
    assert case.right
    assert (case.num_citations, case.num_right_citations) == (1, 1)


def test_a_citation_of_another_passage_is_wrong_and_a_quotation_is_no_answer():
    case = scored("1", EXCHANGE, answer("No [1].", PassageCitation(1, 0, 8)))
    assert (case.num_citations, case.num_right_citations) == (1, 0)
    assert not scored("1", EXCHANGE, answer("No [2].", PassageCitation(2, 0, 8), kind="quotation")).right


def test_every_exchange_is_a_case_with_its_turn_its_cost_and_the_cores_confidence():
    reader, seen = Reader(Engine(tiny_checkpoint()), ReaderOptions(tries=1, max_new_tokens=6)), []
    cases = evaluate(reader, dialogues(2), seen.append)
    assert seen == cases
    assert [(case.id, case.dialogue, case.turn) for case in cases] == [
        ("d0#1", "d0", 1), ("d0#2", "d0", 2), ("d1#1", "d1", 1), ("d1#2", "d1", 2),
    ]  # fmt: skip
    for case in cases:
        assert case.confidence is not None
        assert 0 < case.confidence <= 1
        assert (case.num_tokens, case.seconds > 0) == (6, True)


def test_cases_that_are_kept_are_not_asked_again(tmp_path: Path):
    reader = Reader(Engine(tiny_checkpoint()), ReaderOptions(tries=1, max_new_tokens=6))
    first = evaluate(reader, dialogues(2), lambda _: None, CaseFile(tmp_path / "cases", "core", "reader"))
    closed = Reader(Engine(tiny_checkpoint(), max_sessions=0))
    again = evaluate(closed, dialogues(2), lambda _: None, CaseFile(tmp_path / "cases", "core", "reader"))
    assert again == first
    assert len((tmp_path / "cases").read_text("utf-8").splitlines()) == 4


@pytest.fixture(scope="module")
def cores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two random cores, each in a folder that training calls `core`."""
    folders = []
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp(f"run{seed}") / "core"
        model = tiny_model(tiny_config(max_position_embeddings=4096), seed)
        save_checkpoint(folder, model, tiny_tokenizer(), lineage={"seed": seed}, card="A random core.")
        folders.append(folder)
    return folders[0], folders[1]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    write_dialogues(tmp_path / "meals.jsonl", dialogues(2))
    return tmp_path / "meals.jsonl"


def test_the_command_prints_one_json_report_for_a_core(cores, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", str(cores[0]), "--suite", "refusal", "--limit", "2", "--unguided", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["suite"] == "refusal"
    assert report["cases"] >= 2
    assert {"verdict_accuracy", "citation_precision", "working_holds", "verified", "groups", "turns"} <= report.keys()
    assert report["core"]["name"] == "core"


def test_several_suites_stand_side_by_side_each_once(cores, suite: Path, capsys: pytest.CaptureFixture[str]):
    options = [
        "--suite",
        str(suite),
        "--suite",
        "refusal",
        "--suite",
        "refusal",
        "--limit",
        "1",
        "--unguided",
        "--json",
    ]
    assert main(["evaluate", str(cores[0]), *options]) == 0
    assert [each["suite"] for each in json.loads(capsys.readouterr().out)["suites"]] == [str(suite), "refusal"]


def test_against_another_core_the_exit_code_is_the_gates(cores, suite: Path, tmp_path: Path, capsys):
    report = tmp_path / "report.html"
    options = ["--suite", str(suite), "--against", str(cores[1]), "--unguided", "--json", "--report", str(report)]
    assert main(["evaluate", str(cores[0]), *options]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["gate"]["passed"] is False
    assert document["gate"]["reasons"][0] == "only 4 questions were asked: at least 200 are needed to judge"
    assert (document["suite"], document["against"]["suite"]) == (str(suite), str(suite))
    assert document["core"]["sha256"] != document["against"]["core"]["sha256"]
    assert "The gate says no." in report.read_text("utf-8")


def test_a_core_that_does_not_say_how_it_was_trained_gets_no_card(cores, suite: Path, capsys):
    assert main(["evaluate", str(cores[0]), "--suite", str(suite), "--limit", "1", "--unguided", "--card"]) == 2
    assert "does not say how it was trained" in " ".join(capsys.readouterr().err.split())


def test_people_read_a_table_and_the_verdict(cores, suite: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", str(cores[0]), "--suite", str(suite), "--unguided", "--against", str(cores[1])]) == 1
    shown = capsys.readouterr().out
    assert "The gate says no" in shown
    assert "only 4 questions were asked" in shown


def test_an_interrupted_evaluation_says_how_to_go_on_and_loses_nothing(cores, suite: Path, tmp_path: Path):
    write_dialogues(suite, dialogues(400))
    kept = tmp_path / "cases.jsonl"
    command = ["evaluate", str(cores[0]), "--suite", str(suite), "--limit", "800", "--cases", str(kept)]
    arguments = [sys.executable, "-m", "training.command_line", *command]
    running = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    while not (kept.exists() and kept.stat().st_size):
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert f"precept-train: stopped; answers are kept in {kept}: run the same command again to go on" in said
    assert "Traceback" not in said
    for line in kept.read_text("utf-8").splitlines():
        json.loads(line)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--suite", "nonsense"], "unknown suite 'nonsense'"),
        (
            ["--suite", "values", "--report", "nowhere/report.html"],
            "the folder of nowhere/report.html does not exist: create it first",
        ),
        (
            ["--suite", "values", "--cases", "nowhere/cases.jsonl"],
            "the folder of nowhere/cases.jsonl does not exist: create it first",
        ),
        (["--suite", "values", "--limit", "1", "--against", "nowhere"], "nowhere has no config.json"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(cores, options: list[str], sentence: str, capsys):
    assert main(["evaluate", str(cores[0]), *options]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert sentence in said
    assert "Traceback" not in said


def test_a_file_without_a_dialogue_is_one_sentence(cores, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "empty.jsonl").touch()
    assert main(["evaluate", str(cores[0]), "--suite", str(tmp_path / "empty.jsonl")]) == 2
    assert "holds no dialogue" in " ".join(capsys.readouterr().err.split())
