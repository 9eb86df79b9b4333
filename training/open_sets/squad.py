"""Files of the SQuAD form: SQuAD 2.0, whose questions may have no answer, and XQuAD, whose all have.

Distractors of an answerable question are other paragraphs of its article; a question without an answer is shown its own
paragraph alone, since another one may well answer it. Where annotators differ, the shortest answer counts.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.instructions import Dialogue
from training.open_sets.evidence import Place, Text
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split
from training.open_sets.spans import answered, left_open

_OTHERS = 8  # paragraphs of the article around the question's own, enough to choose from


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        for article in json.loads(path.read_text("utf-8"))["data"]:
            title = article.get("title", "").replace("_", " ") or "Article"
            texts = [Text(title, paragraph["context"]) for paragraph in article["paragraphs"]]
            for number, paragraph in enumerate(article["paragraphs"]):
                near = sorted(range(len(texts)), key=lambda i: abs(i - number))[:_OTHERS]
                for record in paragraph["qas"]:
                    yield _converted(record, [texts[i] for i in near])


def _converted(record: Mapping[str, Any], texts: Sequence[Text]) -> Converted:
    """Convert one question; the first of `texts` is its own paragraph."""
    question = " ".join(record["question"].split())
    if record.get("is_impossible", False):
        exchange = left_open(question, texts[:1], "squad", record["id"])
    else:
        answer = min(record["answers"], key=lambda answer: len(answer["text"]))
        start = answer["answer_start"]
        place = Place(0, start, start + len(answer["text"]))
        exchange = answered(question, texts, place, "squad", record["id"])
    return exchange if isinstance(exchange, LeftOut) else Dialogue(record["id"], "squad", "", (), (exchange,))


_SHARED = Licence("CC-BY-SA-4.0", share_alike=True)
SET = OpenSet(
    name="squad2",
    about="questions over encyclopedia paragraphs, half of them without an answer",
    source="https://rajpurkar.github.io/SQuAD-explorer",
    splits={"dev": Split("dev-v2.0.json", _SHARED), "train": Split("train-v2.0.json", _SHARED)},
    read=_read,
)
XQUAD = OpenSet(
    name="xquad",
    about="the English questions of XQuAD",
    source="https://github.com/google-deepmind/xquad",
    splits={"test": Split("xquad.en.json", _SHARED)},
    read=_read,
)
