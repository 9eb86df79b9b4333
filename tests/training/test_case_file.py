"""Cases kept in a file: found again by the same core, reader and question, whatever a killed run left behind."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reasoning_core.prompt import Passage
from reasoning_core.reader import ReaderOptions
from reasoning_core.working import Verdict
from training.case_file import CaseFile, reader_digest
from training.instructions import Dialogue, Exchange
from training.scoring import ScoredCase

CASE = ScoredCase(
    "d#1", "meals", "answer", ("No",), "answer", "No", 1, 1, 2, 1, False, "d", 1, "edited", 0.75, 31, 0.25,
    "No. 75 is more than 60 [1].", (Verdict("75 > 60", True), Verdict("1 = 2", False, "it does not")), ("a doubt",),
)  # fmt: skip
EXCHANGE = Exchange((Passage("Meals", "Up to 60."),), "Is 75 allowed?", (), "No [1].", "answer", "meals")
DIALOGUE = Dialogue("d", "meals", "values", (), (EXCHANGE, EXCHANGE))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cases.jsonl"


def test_a_kept_case_is_found_by_a_later_run_as_it_was(path: Path):
    first = CaseFile(path, "core", "reader")
    assert first.find(DIALOGUE, 1) is None
    first.keep(DIALOGUE, 1, CASE)
    first.keep(DIALOGUE, 2, replace(CASE, id="d#2", confidence=None))
    again = CaseFile(path, "core", "reader")
    assert again.find(DIALOGUE, 1) == CASE
    assert again.find(DIALOGUE, 2) == replace(CASE, id="d#2", confidence=None)


def test_a_line_is_on_disk_as_soon_as_its_case_is_kept(path: Path):
    CaseFile(path, "core", "reader").keep(DIALOGUE, 1, CASE)
    (line,) = path.read_text("utf-8").splitlines()
    assert json.loads(line).keys() >= {"core_sha256", "reader", "split", "asked", "right", "case"}


@pytest.mark.parametrize(
    ("core", "reader", "dialogue"),
    [
        ("other", "reader", DIALOGUE),
        ("core", "other", DIALOGUE),
        ("core", "reader", replace(DIALOGUE, exchanges=(replace(EXCHANGE, question="Is 74 allowed?"),))),
        ("core", "reader", replace(DIALOGUE, exchanges=(replace(EXCHANGE, answer="Yes [1]."),))),
    ],
)
def test_another_core_reader_or_question_is_asked_anew(path: Path, core: str, reader: str, dialogue: Dialogue):
    CaseFile(path, "core", "reader").keep(DIALOGUE, 1, CASE)
    assert CaseFile(path, core, reader).find(dialogue, 1) is None


def test_a_later_turn_does_not_change_what_was_asked_before(path: Path):
    CaseFile(path, "core", "reader").keep(DIALOGUE, 1, CASE)
    longer = replace(DIALOGUE, exchanges=(EXCHANGE, replace(EXCHANGE, question="And 50?")))
    again = CaseFile(path, "core", "reader")
    assert again.find(longer, 1) == CASE
    assert again.find(longer, 2) is None


@pytest.mark.parametrize("left", [1, 7, 40, 300])
def test_a_line_cut_by_a_kill_is_dropped_and_written_again(path: Path, left: int):
    kept = CaseFile(path, "core", "reader")
    kept.keep(DIALOGUE, 1, CASE)
    size = path.stat().st_size
    kept.keep(DIALOGUE, 2, CASE)
    path.write_bytes(path.read_bytes()[: size + left])
    again = CaseFile(path, "core", "reader")
    assert (again.find(DIALOGUE, 1), again.find(DIALOGUE, 2)) == (CASE, None)
    again.keep(DIALOGUE, 2, CASE)
    assert CaseFile(path, "core", "reader").find(DIALOGUE, 2) == CASE


@pytest.mark.parametrize("content", ['{"some": "json"}\n', "text\n", '{"some": "json"}', '{"core_sha256": "core"}\n'])
def test_another_file_is_refused_and_left_as_it_is(path: Path, content: str):
    path.write_text(content)
    with pytest.raises(ValueError, match=r"scored case.*name another file"):
        CaseFile(path, "core", "reader")
    assert path.read_text() == content


def test_reading_under_other_options_is_another_reading():
    assert reader_digest(ReaderOptions()) == reader_digest(ReaderOptions())
    assert reader_digest(ReaderOptions()) != reader_digest(ReaderOptions(tries=1))
