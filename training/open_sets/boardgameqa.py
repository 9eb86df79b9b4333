"""BoardgameQA: rules that may contradict each other, preferences between them, and a question about a conclusion.

Facts and rules are passages. The working quotes the rules that the proof applies, with the preference that settles a
conflict and the facts that it repeats word for word; what is neither proved nor disproved is refused.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reasoning_core.response import REFUSAL
from training.instructions import Dialogue, Exchange
from training.open_sets.evidence import Place, Text, show
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split
from training.phrasing import with_citations

_PART_CHARACTERS = 600
_MAX_PASSAGES = 5
_RULE = re.compile(r"Rule\d+: .*?(?=Rule\d+: |$)", re.S)
_APPLIED = re.compile(r"according to (Rule\d+)")
_PRIORITY = re.compile(r"higher priority rules? (Rule\d+)")
_KNOWN = re.compile(r"We know (?:that )?(.*?), and according to")
_VERDICTS = {"proved": "Yes", "disproved": "No"}


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        for number, record in enumerate(json.loads(path.read_text("utf-8"))):
            yield _converted(f"{path.parent.name}-{number}", record)


def _converted(name: str, record: Mapping[str, Any]) -> Converted:
    asked = re.search(r"Based on the game state.*?, ((?:does|do|is|are|did|can) .*\?)$", record["example"])
    if asked is None:
        return LeftOut("the question stands nowhere")
    question = asked[1][0].upper() + asked[1][1:]
    sentences = [rule.strip() for rule in _RULE.findall(record["rules"])]
    sentences += [f"{sentence.strip()}." for sentence in record["preferences"].split(".") if sentence.strip()]
    texts = [Text("Game > State", record["facts"], divided=True), *_parts(sentences)]
    verdict = _VERDICTS.get(record["label"])
    places = _places(record["proof"], texts) if verdict else []
    shown = show(question, texts, places, name, num_passages=len(texts))
    if len(texts) > _MAX_PASSAGES:
        return LeftOut("the rules are too long to be shown whole")
    if shown is None or (verdict and not shown.quotes):
        return LeftOut("the proof quotes nothing")
    if verdict is None:
        return _dialogue(name, Exchange(shown.passages, question, (), REFUSAL, "refusal", "boardgameqa"))
    answer = with_citations(verdict, shown.numbers)
    return _dialogue(name, Exchange(shown.passages, question, shown.lines, answer, "answer", "boardgameqa"))


def _dialogue(name: str, exchange: Exchange) -> Dialogue:
    return Dialogue(name, "boardgameqa", "", (), (exchange,))


def _parts(sentences: Sequence[str]) -> list[Text]:
    """Share the rules out among passages, one a line."""
    parts: list[str] = []
    for sentence in sentences:
        if parts and len(parts[-1]) + len(sentence) < _PART_CHARACTERS:
            parts[-1] += f"\n{sentence}"
        else:
            parts.append(sentence)
    return [Text("Game > Rules", part, divided=True) for part in parts]


def _places(proof: str, texts: Sequence[Text]) -> list[Place]:
    """Return where the facts, rules and preferences that a proof names stand, in the order of the proof."""
    places: list[Place] = []
    for sentence in proof.split(" We know "):
        step = f"We know {sentence.removeprefix('We know ')}"
        known = _KNOWN.match(step)
        facts = re.split(r" and (?=the )", known[1]) if known else []
        rules = _APPLIED.findall(step)
        preferences = [f"{winner} is preferred over" for winner in _PRIORITY.findall(step)]
        starts = [*facts, *(f"{rule}:" for rule in rules), *preferences]
        places += [place for start in starts if (place := _line_of(start, texts))]
    return list(dict.fromkeys(places))


def _line_of(words: str, texts: Sequence[Text]) -> Place | None:
    """Return where the words stand, whatever their case, to the end of their sentence or to a quotation mark."""
    for number, text in enumerate(texts):
        at = text.text.casefold().find(words.casefold())
        if at >= 0:
            ends = [end for mark in ("\n", ". ", '"') if (end := text.text.find(mark, at)) > at]
            return Place(number, at, min(ends, default=len(text.text)))
    return None


_BY = Licence("CC-BY-4.0")
SET = OpenSet(
    name="boardgameqa",
    about="rules with preferences between them; what cannot be concluded is refused",
    source="https://storage.googleapis.com/gresearch/BoardgameQA",
    splits={
        "train": Split("BoardgameQA-Main-depth*/train.json", _BY),
        "dev": Split("BoardgameQA-Main-depth*/valid.json", _BY),
        "test": Split("BoardgameQA-Main-depth*/test.json", _BY),
    },
    read=_read,
)
