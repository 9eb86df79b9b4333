"""doc2dial: questions of a conversation over a page of rules; the answer is a span of the page.

Earlier questions and answers are context that is not learned. An answer longer than a quote is left out.
"""

import ast
import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from training.instructions import Dialogue, Exchange
from training.open_sets.evidence import Place, Text
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split
from training.open_sets.spans import answered

_LONGEST_FIELD = 10_000_000


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    csv.field_size_limit(_LONGEST_FIELD)
    for path in files:
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
            for record in csv.DictReader(io.TextIOWrapper(file, "utf-8")):
                yield _converted(record)


def _converted(record: Mapping[str, str]) -> Converted:
    newest, *earlier = record["question"].split("\t")
    question = newest.removeprefix("user:").strip()
    answers = ast.literal_eval(record["answers"])
    start, words = answers["answer_start"][0], answers["text"][0].strip()
    start += len(answers["text"][0]) - len(answers["text"][0].lstrip())
    if record["context"][start : start + len(words)] != words:
        return LeftOut("the answer does not stand where it is said to")
    text = Text(record["title"].partition("#")[0], record["context"])
    exchange = answered(question, [text], Place(0, start, start + len(words)), "doc2dial", record["id"])
    if isinstance(exchange, LeftOut):
        return exchange
    return Dialogue(record["id"], "doc2dial", "", (), (*_history(earlier), exchange))


def _history(newest_first: Sequence[str]) -> list[Exchange]:
    """Return the earlier questions with what was answered; a turn without its other half is passed over."""
    turns = [turn.strip() for turn in reversed(newest_first)]
    pairs = zip(turns[::2], turns[1::2], strict=False)
    return [
        Exchange((), asked.removeprefix("user:"), (), told.removeprefix("agent:"), "answer", "doc2dial", False)
        for asked, told in pairs
        if asked.startswith("user:") and told.startswith("agent:")
    ]


SET = OpenSet(
    name="doc2dial",
    about="conversations over pages of rules",
    source="https://doc2dial.github.io",
    splits={"validation": Split("doc2dial_rc_val.csv.zip", Licence("CC-BY-3.0"))},
    read=_read,
)
