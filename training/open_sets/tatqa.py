"""TAT-QA: questions over a table and paragraphs of a company's report, with derivations.

A span is quoted where it stands once. A derivation becomes lines of working, with a quote for each of its numbers;
left out are those that are rounded, and numbers that stand in several places.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.instructions import Dialogue, Exchange
from training.open_sets.arithmetic import same_number, steps
from training.open_sets.evidence import Place, Text, show
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split
from training.open_sets.spans import answered
from training.open_sets.tables import written
from training.phrasing import with_citations

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        for context in json.loads(path.read_text("utf-8")):
            table = Text("Report > Table", written(context["table"]["table"]).text)
            texts = [table, *(Text("Report", paragraph["text"]) for paragraph in context["paragraphs"])]
            for record in context["questions"]:
                yield _converted(record, texts)


def _converted(record: Mapping[str, Any], texts: Sequence[Text]) -> Converted:
    name, question = record["uid"], record["question"]
    match record["answer_type"]:
        case "span" if len(record["answer"]) == 1:
            places = _places(str(record["answer"][0]), texts)
            if len(places) != 1:
                return LeftOut("the answer does not stand in one place")
            exchange = answered(question, texts, places[0], "tatqa", name)
        case "arithmetic":
            exchange = _worked(record, texts)
        case other:
            return LeftOut(f"answers of the type {other}")
    return exchange if isinstance(exchange, LeftOut) else Dialogue(name, "tatqa", "", (), (exchange,))


def _worked(record: Mapping[str, Any], texts: Sequence[Text]) -> Exchange | LeftOut:
    worked = steps(record["derivation"])
    if worked is None or not worked[0] or not same_number(worked[1], str(record["answer"])):
        return LeftOut("the derivation is not exact")
    lines, result = worked
    places: list[Place] = []
    for number in dict.fromkeys(_NUMBER.findall(record["derivation"])):
        found = [place for place in _places(number, texts) if _is_whole(texts[place.text].text, place)]
        if len(found) != 1:
            return LeftOut("a number does not stand in one place")
        places += found
    shown = show(record["question"], texts, places, record["uid"])
    if shown is None:
        return LeftOut("the numbers cannot be quoted")
    answer = with_citations(result, shown.numbers)
    return Exchange(shown.passages, record["question"], (*shown.lines, *lines), answer, "answer", "tatqa")


def _places(words: str, texts: Sequence[Text]) -> list[Place]:
    return [
        Place(number, at.start(), at.end())
        for number, text in enumerate(texts)
        for at in re.finditer(re.escape(words), text.text)
    ]


def _is_whole(text: str, place: Place) -> bool:
    """Return whether a number is not a part of a longer one."""
    before, after = text[: place.start][-1:], text[place.end : place.end + 2]
    return not before.isdigit() and before not in (".", ",") and not re.match(r"\d|[.,]\d", after)


_BY = Licence("CC-BY-4.0")
SET = OpenSet(
    name="tatqa",
    about="tables and text of company reports, with derivations",
    source="https://github.com/NExTplusplus/TAT-QA",
    splits={
        "dev": Split("tatqa_dataset_dev.json", _BY),
        "test": Split("tatqa_dataset_test_gold.json", _BY),
        "train": Split("tatqa_dataset_train.json", _BY),
    },
    read=_read,
)
