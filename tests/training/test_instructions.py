"""Dialogues in files, in each of the forms that are read."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.prompt import CONDITIONS as SERVED
from reasoning_core.prompt import Passage
from reasoning_core.response import REFUSAL
from reasoning_core.tokenizer import CONDITIONS
from training.instructions import KINDS, Dialogue, Exchange, read_dialogues, read_lines, write_dialogues

EXCHANGE = Exchange(
    (Passage("Travel > Meals", "Meals: up to $60 per day – no more."),),
    "Can I spend $75?",
    ('"up to $60 per day" [1]', "75 > 60"),
    "No. $75 is more than $60 [1].",
    "answer",
    "spending-limit",
)
PASSAGE = {"heading": "Travel > Meals", "text": "Meals: up to $60 per day."}
FIRST_TURN = {
    "passages": [PASSAGE],
    "question": "What is paid for meals?",
    "working": ['"$60 per day" [1]'],
    "answer": "$60 per day [1].",
    "kind": "answer",
}
LAST_TURN = FIRST_TURN | {
    "passages": [],
    "question": "Is $75 fine?",
    "working": ['"up to $60 per day" [1]', "75 > 60"],
    "answer": "Yes. $75 is fine [1].",
}
REVIEWED = {"verdict": "approved", "id": "c1/m2", "core": "mini", "turns": [FIRST_TURN, LAST_TURN]}
CORRECTION = {"working": ['"up to $60 per day" [1]', "75 > 60"], "answer": "No. 75 is more than 60 [1]."}

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
said = text.filter(str.strip)
exchanges = st.builds(
    Exchange,
    st.lists(st.builds(Passage, text, text), max_size=2).map(tuple),
    said,
    st.lists(text, max_size=2).map(tuple),
    said,
    st.sampled_from(KINDS),
    text,
    st.booleans(),
)
dialogues = st.builds(
    Dialogue, text, text, text, st.lists(text, max_size=2).map(tuple), st.lists(exchanges, min_size=1).map(tuple)
)


def read(path: Path, *records: dict[str, Any]) -> list[Dialogue]:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return list(read_dialogues(path))


@given(st.lists(dialogues, max_size=3))
def test_dialogues_come_back_from_a_file_as_they_were_written(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("data") / "data.jsonl"
    write_dialogues(path, written)
    assert list(read_dialogues(path)) == written


def test_the_turns_of_a_dialogue_are_those_of_the_prompt_layout():
    assert Dialogue("a", "f", "train", (), (EXCHANGE, EXCHANGE)).turns()[1].response.short_answer == "No"


def test_the_upstream_form_is_a_dialogue_of_one_turn(tmp_path: Path):
    (dialogue,) = read(tmp_path / "up.jsonl", {"instruction": "Say hi.", "response": "Hi.", "condition": "cot"})
    assert dialogue.exchanges == (Exchange((), "Say hi.", (), "Hi.", "answer", "instruction"),)
    assert dialogue.tags == ("cot",)


@pytest.mark.parametrize(
    ("condition", "conditions"),
    [
        ({"condition": "synth,cot"}, ("synth", "cot")),
        ({"condition": ["noisy", "direct"]}, ("noisy", "direct")),
        ({}, ("direct",)),
    ],
)
def test_the_conditions_of_the_upstream_form_are_those_of_its_prompts(tmp_path: Path, condition, conditions):
    (dialogue,) = read(tmp_path / "up.jsonl", {"instruction": "Say hi.", "response": "Hi."} | condition)
    assert dialogue.conditions == conditions


@given(st.lists(st.sampled_from([*CONDITIONS, "refusal"]), max_size=3))
def test_a_dialogue_without_a_condition_is_prompted_as_serving_prompts(tags):
    dialogue = Dialogue("a", "f", "train", tuple(tags), (EXCHANGE,))
    named = tuple(tag for tag in tags if tag != "refusal")
    assert dialogue.conditions == (named or SERVED)


def test_an_approved_answer_is_learned_and_the_turns_before_it_are_context(tmp_path: Path):
    (dialogue,) = read(tmp_path / "reviewed.jsonl", REVIEWED)
    assert [exchange.supervised for exchange in dialogue.exchanges] == [False, True]
    assert dialogue.exchanges[1].answer == "Yes. $75 is fine [1]."
    assert dialogue.exchanges[0].passages == (Passage(**PASSAGE),)
    assert dialogue.tags == ("reviewed", "core:mini")


def test_a_correction_takes_the_place_of_a_rejected_answer(tmp_path: Path):
    (dialogue,) = read(tmp_path / "reviewed.jsonl", REVIEWED | {"verdict": "rejected", "correction": CORRECTION})
    assert dialogue.exchanges[1].answer == "No. 75 is more than 60 [1]."
    assert dialogue.exchanges[1].question == "Is $75 fine?"
    assert dialogue.tags == ("reviewed", "core:mini", "corrected")


@pytest.mark.parametrize(
    ("correction", "kind"),
    [
        ({"working": [], "answer": REFUSAL}, "refusal"),
        ({"working": [], "answer": "For how many days?"}, "question"),
        (CORRECTION, "answer"),
    ],
)
def test_a_correction_has_the_kind_that_the_reader_would_give_it(tmp_path: Path, correction, kind):
    (dialogue,) = read(tmp_path / "reviewed.jsonl", REVIEWED | {"verdict": "rejected", "correction": correction})
    assert dialogue.exchanges[1].kind == kind


def test_a_rejection_without_a_correction_is_no_training_data(tmp_path: Path):
    assert read(tmp_path / "reviewed.jsonl", REVIEWED | {"verdict": "rejected"}) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "one JSON object"),
        ('{"id": "a"}', "'exchanges' is missing"),
        ('{"instruction": 3, "response": "x"}', "'instruction' holds int"),
        ('{"instruction": "x", "response": " "}', "the answer is empty"),
        ('{"instruction": "x\\ud800", "response": "x"}', "half of a surrogate pair"),
        ('{"instruction": "x", "response": "x", "condition": "fast"}', "unknown condition 'fast': use one of direct"),
        (json.dumps({"id": "a", "family": "f", "split": "s", "tags": [], "exchanges": []}), "at least one exchange"),
        (
            json.dumps(asdict(Dialogue("a", "f", "s", (), (EXCHANGE,))) | {"exchanges": [{"kind": "guess"}]}),
            "'working' is missing",
        ),
        (json.dumps(REVIEWED | {"turns": []}), "at least one turn"),
        (json.dumps(REVIEWED | {"verdict": "good"}), "unknown verdict 'good': use one of approved, rejected"),
        (json.dumps(REVIEWED | {"turns": [LAST_TURN | {"kind": "quotation"}]}), "cannot be approved as an answer"),
        (json.dumps(REVIEWED | {"turns": [LAST_TURN | {"answer": ""}]}), "the answer is empty"),
        (json.dumps(REVIEWED | {"correction": CORRECTION}), "an approved answer has no correction"),
        (json.dumps(REVIEWED | {"verdict": "rejected", "correction": "No."}), "a correction is a JSON object"),
        (json.dumps({k: v for k, v in REVIEWED.items() if k != "core"}), "'core' is missing"),
    ],
)
def test_a_malformed_line_is_named_with_what_is_wrong(tmp_path: Path, line: str, fault: str):
    path = tmp_path / "data.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(ValueError, match=f"data.jsonl:2: .*{fault}"):
        list(read_dialogues(path))


def test_every_malformed_line_can_be_collected_beside_the_good_ones(tmp_path: Path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"instruction": "a", "response": "b"}\n{\n\xff\n{"instruction": "c", "response": "d"}\n')
    lines = list(read_lines(path))
    assert [line.number for line in lines if line.fault] == [2, 3]
    assert [line.dialogue.exchanges[0].answer for line in lines if line.dialogue] == ["b", "d"]
    assert "not UTF-8" in lines[2].fault
