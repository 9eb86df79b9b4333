"""Dialogues in files."""

import json

import pytest

from reasoning_core.prompt import Passage
from training.instructions import Dialogue, Exchange, read_dialogues, write_dialogues

EXCHANGE = Exchange(
    (Passage("Travel > Meals", "Meals: up to $60 per day – no more."),),
    "Can I spend $75?",
    ('"up to $60 per day" [1]', "75 > 60"),
    "No. $75 is more than $60 [1].",
    "answer",
    "spending-limit",
)


def test_dialogues_come_back_from_a_file_as_they_were_written(tmp_path):
    dialogues = [Dialogue("a", "spending-limit", "train", ("refusal",), (EXCHANGE, EXCHANGE))]
    write_dialogues(tmp_path / "data.jsonl", dialogues)
    assert list(read_dialogues(tmp_path / "data.jsonl")) == dialogues
    assert dialogues[0].turns()[1].response.short_answer == "No"


def test_the_upstream_form_is_a_dialogue_of_one_turn(tmp_path):
    path = tmp_path / "up.jsonl"
    path.write_text('{"instruction": "Say hi.", "response": "Hi.", "condition": "cot"}\n')
    (dialogue,) = read_dialogues(path)
    assert dialogue.exchanges == (Exchange((), "Say hi.", (), "Hi.", "answer", "instruction"),)
    assert dialogue.tags == ("cot",)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "not JSON"),
        ("[]", "one JSON object"),
        ('{"id": "a"}', "'exchanges' is missing"),
        ('{"instruction": 3, "response": "x"}', "'instruction' holds int"),
        (json.dumps({"id": "a", "family": "f", "split": "s", "tags": [], "exchanges": []}), "at least one exchange"),
    ],
)
def test_a_malformed_line_is_named_with_what_is_wrong(tmp_path, line, fault):
    path = tmp_path / "data.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(ValueError, match=f"data.jsonl:2: .*{fault}"):
        list(read_dialogues(path))
