"""ShARC: a rule, a question about oneself, questions back with their answers, and the decision.

The decision is yes, no, one more question back, or that the rule does not speak of it. The earlier questions back are
context that is not learned. ShARC does not say which words decide, so there is no working.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reasoning_core.prompt import Passage
from reasoning_core.response import REFUSAL
from training.instructions import Dialogue, Exchange
from training.open_sets.open_set import DIRECT, Converted, LeftOut, Licence, OpenSet, Split
from training.phrasing import with_citations

_LONGEST_RULE = 700


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        for record in json.loads(path.read_text("utf-8")):
            yield _converted(record)


def _converted(record: Mapping[str, Any]) -> Converted:
    rule, history = record["snippet"].strip(), record["history"]
    if len(rule) > _LONGEST_RULE:
        return LeftOut("the rule is long")
    asked = [" ".join(f"{record['scenario']} {record['question']}".split())]
    asked += [f"{turn['follow_up_answer']}." for turn in history]
    told = [_question_back(turn["follow_up_question"]) for turn in history]
    decision = _decision(record["answer"].strip())
    if decision is None:
        return LeftOut("the decision is neither a verdict nor a question")
    context = [
        Exchange((), question, (), back, "question", "sharc", supervised=False)
        for question, back in zip(asked[:-1], told, strict=True)
    ]
    last = Exchange((), asked[-1], (), decision[0], decision[1], "sharc")
    first, *others = *context, last
    shown = replace(first, passages=(Passage("Rule", rule),))
    return Dialogue(record["utterance_id"], "sharc", "", (DIRECT,), (shown, *others))


def _decision(answer: str) -> tuple[str, str] | None:
    """Return the response and its kind."""
    if answer in ("Yes", "No"):
        return with_citations(answer, [1]), "answer"
    if answer == "Irrelevant":
        return REFUSAL, "refusal"
    return (_question_back(answer), "question") if answer else None


def _question_back(text: str) -> str:
    return f"{text.strip().rstrip('?')}?"


_SHARED = Licence("CC-BY-SA-3.0", share_alike=True)
SET = OpenSet(
    name="sharc",
    about="rules read in conversation, with questions back",
    source="https://sharc-data.github.io",
    splits={
        "dev": Split("json/sharc_dev.json", _SHARED),
        "dev-in-house": Split("json/sharc_dev_ih.json", _SHARED),
        "test-in-house": Split("json/sharc_test_ih.json", _SHARED),
    },
    read=_read,
)
