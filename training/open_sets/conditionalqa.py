"""ConditionalQA: a person's situation, a question about public policy, and the sentences of a page that answer it.

The evidence is shown and quoted, among the evidence of other questions about the same page, since the pages themselves
are not part of the published files; a question that its page leaves open is shown that alone. Answers under a condition
are left out: the form has no place for "if".
"""

import html
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.instructions import Dialogue, Exchange
from training.open_sets.evidence import Place, Text, show
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split
from training.open_sets.spans import answered, left_open
from training.phrasing import with_citations

_TAG = re.compile(r"<[^>]+>")
_MAX_SHOWN = 4


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        records = json.loads(path.read_text("utf-8"))
        pages: dict[str, list[str]] = defaultdict(list)
        for record in records:
            pages[record["url"]] += [text for text in _evidence(record) if text not in pages[record["url"]]]
        for record in records:
            yield _converted(record, pages[record["url"]])


def _converted(record: Mapping[str, Any], page: Sequence[str]) -> Converted:
    question = " ".join(f"{record['scenario']} {record['question']}".split())
    exchange = _exchange(record, question, page)
    return exchange if isinstance(exchange, LeftOut) else Dialogue(record["id"], "conditionalqa", "", (), (exchange,))


def _exchange(record: Mapping[str, Any], question: str, page: Sequence[str]) -> Exchange | LeftOut:
    title = record["url"].rstrip("/").rpartition("/")[2].replace("-", " ").capitalize()
    if record["not_answerable"]:
        shown = [Text(title, text, divided=True) for text in page]
        return left_open(question, shown, "conditionalqa", record["id"])
    evidence = _evidence(record)
    if len(record["answers"]) != 1 or record["answers"][0][1]:
        return LeftOut("the answer has conditions or parts")
    if not 0 < len(evidence) <= _MAX_SHOWN:
        return LeftOut("the evidence is missing or long")
    texts = [Text(title, text, divided=True) for text in dict.fromkeys((*evidence, *page))]
    answer = record["answers"][0][0].strip()
    if answer in ("yes", "no"):
        return _verdict(answer, question, texts, len(evidence), record["id"])
    places = [(n, text.casefold().find(answer.casefold())) for n, text in enumerate(evidence)]
    found = [Place(n, at, at + len(answer)) for n, at in places if at >= 0]
    if len(found) != 1:
        return LeftOut("the answer does not stand in one place")
    return answered(question, texts, found[0], "conditionalqa", record["id"])


def _verdict(answer: str, question: str, texts: Sequence[Text], num_evidence: int, seed: str) -> Exchange | LeftOut:
    """Return the exchange of a yes or no, for which the first `num_evidence` texts are quoted."""
    places = [Place(n, 0, len(text.text)) for n, text in enumerate(texts[:num_evidence])]
    shown = show(question, texts, places, seed)
    if shown is None:
        return LeftOut("the evidence cannot be quoted")
    response = with_citations(answer.capitalize(), shown.numbers)
    return Exchange(shown.passages, question, shown.lines, response, "answer", "conditionalqa")


def _evidence(record: Mapping[str, Any]) -> list[str]:
    texts = (" ".join(html.unescape(_TAG.sub(" ", text)).split()) for text in record["evidences"])
    return list(dict.fromkeys(text for text in texts if text))


_BSD = Licence("BSD-2-Clause")
SET = OpenSet(
    name="conditionalqa",
    about="questions about one's own case under public policy",
    source="https://github.com/haitian-sun/ConditionalQA",
    splits={"train": Split("train.json", _BSD), "dev": Split("dev.json", _BSD)},
    read=_read,
)
