"""StrategyQA: yes or no, decided by a few facts that the question does not name.

The facts are shown among facts of other questions and quoted; the decision itself is not worked out in lines.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.instructions import Dialogue, Exchange
from training.open_sets.evidence import Place, Text, show
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split
from training.phrasing import with_citations

_MAX_FACTS = 4
_NUM_OTHERS = 3


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        records = json.loads(path.read_text("utf-8"))
        for number, record in enumerate(records):
            others = [records[(number + step) % len(records)] for step in range(1, _NUM_OTHERS + 1)]
            yield _converted(record, [text for other in others for text in _facts(other)[:1]])


def _converted(record: Mapping[str, Any], others: Sequence[Text]) -> Converted:
    facts = _facts(record)
    if not 0 < len(facts) <= _MAX_FACTS:
        return LeftOut("its facts are missing or many")
    places = [Place(number, 0, len(fact.text)) for number, fact in enumerate(facts)]
    others = [other for other in others if other not in facts]
    shown = show(record["question"], [*facts, *others], places, record["qid"], num_passages=len(facts) + 1)
    if shown is None:
        return LeftOut("a fact cannot be quoted")
    answer = with_citations("Yes" if record["answer"] else "No", shown.numbers)
    exchange = Exchange(shown.passages, record["question"], shown.lines, answer, "answer", "strategyqa")
    return Dialogue(record["qid"], "strategyqa", "", (), (exchange,))


def _facts(record: Mapping[str, Any]) -> list[Text]:
    texts = (" ".join(fact.split()) for fact in record["facts"])
    return [Text(record["term"], text, divided=True) for text in dict.fromkeys(texts) if text]


_MIT = Licence("MIT")
SET = OpenSet(
    name="strategyqa",
    about="yes or no over several facts",
    source="https://github.com/eladsegal/strategyqa",
    splits={"train": Split("train.json", _MIT), "dev": Split("dev.json", _MIT)},
    read=_read,
)
