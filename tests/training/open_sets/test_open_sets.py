"""Open sets read into dialogues: small files of our own in each set's format, and the published files where present."""

import csv
import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from reasoning_core.checkpoint import file_sha256
from reasoning_core.response import REFUSAL
from training.command_line import main
from training.instructions import Dialogue, read_dialogues
from training.lineage import read_lineage
from training.open_sets.catalogue import OPEN_SETS
from training.open_sets.tables import table_of
from training.soundness import faults_of

SHARED = Path(os.environ.get("PRECEPT_SHARED_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
FOLDERS = {"legalbench": "legalbench_clauses", "p3": "p3_sample", "squad2": "squad2_dev", "doc2dial": "doc2dial_rc_val"}
FOLDERS |= {"xquad": "xquad_en", "p3-reading": "p3_sample"}

SQUAD = {"data": [{"title": "Ferry_rules", "paragraphs": [
    {"context": "The ferry leaves the north pier at 9:40. Bicycles travel for 4 crowns.", "qas": [
        {"id": "a", "question": "What does a bicycle cost?", "is_impossible": False,
         "answers": [{"text": "4 crowns", "answer_start": 61}]},
        {"id": "b", "question": "Who steers the ferry?", "is_impossible": True, "answers": []},
    ]},
]}]}  # fmt: skip
CONDITIONAL = [
    {"id": "1", "url": "https://rules.example/boat-licence", "scenario": "I own a boat.", "not_answerable": False,
     "question": "Do I need a licence?", "answers": [["yes", []]], "evidences": ["<p>Boat owners need a licence.</p>"]},
    {"id": "2", "url": "https://rules.example/boat-licence", "scenario": "I rent a boat.", "not_answerable": True,
     "question": "Who pays for fuel?", "answers": [], "evidences": []},
    {"id": "3", "url": "https://rules.example/boat-licence", "scenario": "", "not_answerable": False,
     "question": "Is it free?", "answers": [["yes", ["if you are 70"]]], "evidences": ["<p>It is free from 70.</p>"]},
]  # fmt: skip
TATQA = [{"table": {"table": [["Region", "2030", "2031"], ["North", "$120", "$150"], ["South", "80", "95"]]},
          "paragraphs": [{"text": "The harbour fund is managed by the town clerk."}], "questions": [
    {"uid": "s", "question": "Who manages the harbour fund?", "answer": ["the town clerk"], "answer_type": "span",
     "derivation": ""},
    {"uid": "d", "question": "By how much did North grow?", "answer": 30, "answer_type": "arithmetic",
     "derivation": "150-120"},
    {"uid": "r", "question": "What is a third of South?", "answer": 26.67, "answer_type": "arithmetic",
     "derivation": "80/3"},
]}]  # fmt: skip
SHARC = [
    {"utterance_id": "u1", "snippet": "Members who row may borrow a boat.", "scenario": "", "answer": "Yes",
     "question": "May I borrow a boat?",
     "history": [{"follow_up_question": "Do you row?", "follow_up_answer": "Yes"}]},
    {"utterance_id": "u2", "snippet": "Members who row may borrow a boat.", "scenario": "I am new.",
     "answer": "Do you row?", "question": "May I borrow a boat?", "history": []},
    {"utterance_id": "u3", "snippet": "Members who row may borrow a boat.", "scenario": "", "answer": "Irrelevant",
     "question": "May I park here?", "history": []},
]  # fmt: skip
BOARDGAME = [{"example": "A game. Based on the game state and the rules and preferences, does the owl sing to the elk?",
              "facts": "The owl has 3 friends.", "preferences": "", "label": "proved",
              "rules": "Rule1: Regarding the owl, if it has fewer than 9 friends, then it sings to the elk.",
              "proof": "We know the owl has 3 friends, and according to Rule1 it sings to the elk."}]  # fmt: skip

STRATEGY = [
    {"qid": "q1", "term": "Heron", "question": "Could a heron pass under the low bridge?", "answer": True,
     "facts": ["The heron is 2 metres high.", "The low bridge leaves 3 metres."]},
    {"qid": "q2", "term": "Gull", "question": "Would a gull fit the dry dock?", "answer": False,
     "facts": ["The gull is a ferry of 90 metres."]},
]  # fmt: skip


def write(folder: Path, name: str, content: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Every set's files, invented here."""
    write(tmp_path, "dev-v2.0.json", SQUAD)
    write(tmp_path, "xquad.en.json", {"data": [{"title": "T", "paragraphs": [
        SQUAD["data"][0]["paragraphs"][0] | {"qas": SQUAD["data"][0]["paragraphs"][0]["qas"][:1]}]}]})  # fmt: skip
    write(tmp_path, "conditionalqa/train.json", CONDITIONAL)
    write(tmp_path, "strategyqa/train.json", STRATEGY)
    write(tmp_path, "tatqa_dataset_dev.json", TATQA)
    write(tmp_path, "json/sharc_dev.json", SHARC)
    write(tmp_path, "BoardgameQA-Main-depth1/train.json", BOARDGAME)
    problem = {"question": "Ann has 12 oars. Bo has 3 more. How many has Bo?", "answer": "12+3=<<12+3=15>>15\n#### 15"}
    write(tmp_path, "train.jsonl", json.dumps(problem))
    write(tmp_path, "CUAD_Moorings/base_prompt.txt", "Does the clause speak of moorings? Say so.\n")
    write(tmp_path, "CUAD_Moorings/train.tsv", "label\ttext\nYes\tMoorings are let by the year.\nMaybe\tAnything.\n")
    write(tmp_path, "data_per_template/t.jsonl", '{"prompt": "Say ahoy.", "completion": "Ahoy<|endoftext|>"}')
    context = "The ferry to Elm Isle sails from the north pier.\n\nIt takes bicycles."
    prompt = (
        f"Given the following context:\n\n{context}\n\nanswer the following question:\n\nFrom where does it sail?\n"
    )
    reading = {"prompt": prompt, "completion": "the north pier<|endoftext|>"}
    write(tmp_path, "data_per_template/quoref_Answer_Question_Given_Context.jsonl", json.dumps(reading))
    write(tmp_path, "csv/1.csv", '"Boat","Berth"\n"Heron","North pier"\n"Gull","South pier"\n')
    questions = [
        "id\tutterance\tcontext\ttargetValue",
        "n1\twhere lies the heron?\tcsv/1.csv\tNorth pier",
        "n2\thow many boats are there?\tcsv/1.csv\t2",
        "n3\twhere lies the boat after the heron?\tcsv/1.csv\tSouth pier",
        "n4\twhere does it smell of tar?\tcsv/1.csv\tSouth pier",
    ]
    write(tmp_path, "data/training.tsv", "\n".join(questions))
    context = "Harbour page. Boats must be insured. Call the harbour master before you enter. "
    start = context.index("Call")
    answers = {"text": ["Call the harbour master before you enter. "], "answer_start": [start], "spans": {}}
    rows = io.StringIO()
    table = csv.DictWriter(rows, ["id", "question", "context", "answers", "title"])
    table.writeheader()
    asked = "user:Whom do I call before I enter the harbour? \tagent:Yes. \tuser:May I come in?"
    table.writerow({"id": "x_2", "question": asked, "context": context, "answers": repr(answers), "title": "Boats#1"})
    with zipfile.ZipFile(tmp_path / "doc2dial_rc_val.csv.zip", "w") as archive:
        archive.writestr("doc2dial_rc_val.csv", rows.getvalue())
    sunk = {"ID": "c", "Body": "There are 5 boats and 2 sink.", "Question": "How many are left?"}
    write(tmp_path, "SVAMP.json", [sunk | {"Equation": "( 5.0 - 2.0 )", "Answer": 3.0}])
    return tmp_path


def converted(name: str, folder: Path, tmp_path: Path) -> list[Dialogue]:
    out = tmp_path / "out" / f"{name}.jsonl"
    out.parent.mkdir(exist_ok=True)
    folder = folder / name if (folder / name).is_dir() else folder
    assert main(["convert", name, str(folder), "--out", str(out)]) == 0
    return list(read_dialogues(out))


@pytest.mark.parametrize("name", list(OPEN_SETS))
def test_what_is_converted_is_sound_and_has_its_lineage_beside_it(name: str, folder: Path, tmp_path: Path):
    dialogues = converted(name, folder, tmp_path)
    assert dialogues
    for dialogue in dialogues:
        assert not list(faults_of(dialogue))
        assert dialogue.family == name
        assert dialogue.id.startswith(f"{name}-")
    (source,) = read_lineage(tmp_path / "out" / f"{name}.jsonl").sources
    assert (source.name, source.kind) == (name, "open set")
    assert source.licence


def only(dialogues: list[Dialogue], ending: str) -> Dialogue:
    return next(dialogue for dialogue in dialogues if dialogue.id.endswith(ending))


def test_a_derivation_becomes_working_over_quoted_rows_and_a_rounded_one_is_left_out(folder: Path, tmp_path: Path):
    dialogues = converted("tatqa", folder, tmp_path)
    worked = only(dialogues, "-d").exchanges[0]
    assert worked.working[-1] == "150 - 120 = 30"
    assert worked.answer == "30 [1]."
    assert not [dialogue for dialogue in dialogues if dialogue.id.endswith("-r")]
    left_out = read_lineage(tmp_path / "out" / "tatqa.jsonl").left_out
    assert left_out == {"the derivation is not exact": 1}


def test_a_look_up_quotes_the_row_and_a_question_that_names_none_is_left_out(folder: Path, tmp_path: Path):
    dialogues = converted("wikitablequestions", folder, tmp_path)
    assert only(dialogues, "-n1").exchanges[0].working == ('"Heron | North pier" [1]',)
    compared = only(dialogues, "-n3").exchanges[0]
    assert compared.answer == "South pier [1]."
    assert "Heron" in compared.passages[0].text
    assert len(dialogues) == 2
    assert read_lineage(tmp_path / "out" / "wikitablequestions.jsonl").left_out == {
        "the answer is a number or has parts": 1,
        "the question does not name one row": 1,
    }


def test_every_part_of_a_long_table_begins_with_its_head():
    cells = [["Boat", "Berth"], *([f"Boat {number}", f"Berth {number}" * 8] for number in range(30))]
    table = table_of("Harbour", cells, 1)
    assert table is not None
    assert len(table.texts) > 2
    assert all(text.text.startswith("| Boat | Berth |\n| Boat ") for text in table.texts)
    for row, place in table.rows.items():
        assert table.texts[place.text].text[place.start : place.end] == " | ".join(cells[row])


def test_the_facts_that_decide_are_quoted(folder: Path, tmp_path: Path):
    exchange = only(converted("strategyqa", folder, tmp_path), "-q1").exchanges[0]
    assert {line.partition(" [")[0] for line in exchange.working} == {
        '"The heron is 2 metres high."', '"The low bridge leaves 3 metres."'
    }  # fmt: skip
    assert exchange.answer.startswith("Yes")


def test_a_split_of_prompts_has_the_licence_of_its_source(folder: Path, tmp_path: Path):
    out = tmp_path / "quoref.jsonl"
    assert main(["convert", "p3", str(folder), "--split", "quoref", "--out", str(out)]) == 0
    (source,) = read_lineage(out).sources
    assert (source.licence, source.share_alike) == ("CC-BY-4.0", False)
    assert source.sha256 == file_sha256(folder / "data_per_template" / "quoref_Answer_Question_Given_Context.jsonl")


def test_a_span_is_quoted_and_a_question_without_an_answer_is_refused(folder: Path, tmp_path: Path):
    dialogues = converted("squad2", folder, tmp_path)
    assert "4 crowns" in only(dialogues, "-a").exchanges[0].working[0]
    assert only(dialogues, "-b").exchanges[0].answer == REFUSAL


def test_earlier_questions_back_are_context_and_only_the_decision_is_learned(folder: Path, tmp_path: Path):
    dialogues = converted("sharc", folder, tmp_path)
    first, last = only(dialogues, "-u1").exchanges
    assert (first.supervised, first.kind, last.supervised, last.question) == (False, "question", True, "Yes.")
    assert last.answer == "Yes [1]."
    assert only(dialogues, "-u2").exchanges[0].kind == "question"
    assert only(dialogues, "-u3").exchanges[0].kind == "refusal"


def test_conditions_are_left_out_and_an_open_question_is_refused(folder: Path, tmp_path: Path):
    dialogues = converted("conditionalqa", folder, tmp_path)
    (line,) = only(dialogues, "-1").exchanges[0].working
    assert line.startswith('"Boat owners need a licence." [')
    assert only(dialogues, "-2").exchanges[0].kind == "refusal"
    assert len(dialogues) == 2


def test_limit_split_and_wrong_names_are_heeded(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "few.jsonl"
    assert main(["convert", "sharc", str(folder), "--out", str(out), "--limit", "1"]) == 0
    assert len(list(read_dialogues(out))) == 1
    assert main(["convert", "sharq", str(folder), "--out", str(out)]) == 2
    assert "unknown open set 'sharq': use one of" in " ".join(capsys.readouterr().err.split())
    assert main(["convert", "sharc", str(folder), "--out", str(out), "--split", "moon"]) == 2
    assert "has no split 'moon'" in " ".join(capsys.readouterr().err.split())
    assert main(["convert", "sharc", str(tmp_path / "no"), "--out", str(out)]) == 2
    assert "there is no folder" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", list(OPEN_SETS))
def test_the_published_files_give_sound_dialogues(name: str, tmp_path: Path):
    folder = SHARED / FOLDERS.get(name, name)
    if not folder.is_dir():
        pytest.skip(f"The published files of {name} are not in {folder}.")
    out = tmp_path / "out.jsonl"
    assert main(["convert", name, str(folder), "--out", str(out), "--limit", "25"]) == 0
    dialogues = list(read_dialogues(out))
    assert len(dialogues) == 25
    assert not [fault for dialogue in dialogues for fault in faults_of(dialogue)]
