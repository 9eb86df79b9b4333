"""Files of the SQuAD form: SQuAD 2.0, whose questions may have no answer, and XQuAD, whose all have.

Every question is shown its own paragraph among paragraphs of the article that follows: those of its own article might
answer a question that has no answer, and distractors of two kinds would give the refusals away. Where annotators
differ, the shortest answer counts.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.instructions import Dialogue
from training.open_sets.evidence import Place, Text
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split
from training.open_sets.spans import answered, left_open

_OTHERS = 8  # paragraphs, enough to choose from


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        articles = json.loads(path.read_text("utf-8"))["data"]
        for article, following in zip(articles, [*articles[1:], articles[0]], strict=True):
            others = _texts(following)
            for number, (text, paragraph) in enumerate(zip(_texts(article), article["paragraphs"], strict=True)):
                near = [others[(number + i) % len(others)] for i in range(min(_OTHERS, len(others)))]
                for record in paragraph["qas"]:
                    yield _converted(record, [text, *near])


def _texts(article: Mapping[str, Any]) -> list[Text]:
    title = article.get("title", "").replace("_", " ") or "Article"
    return [Text(title, paragraph["context"]) for paragraph in article["paragraphs"]]


def _converted(record: Mapping[str, Any], texts: Sequence[Text]) -> Converted:
    """Convert one question; the first of `texts` is its own paragraph."""
    question = " ".join(record["question"].split())
    if record.get("is_impossible", False):
        exchange = left_open(question, texts, "squad", record["id"])
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
