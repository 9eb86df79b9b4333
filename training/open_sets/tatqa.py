"""TAT-QA: questions over a table and paragraphs of a company's report, with derivations.

A span of the text is quoted where it stands once, a cell with its row. A derivation becomes lines of working behind the
rows and words that state its numbers; left out are those that are rounded, and numbers of which nobody can tell where
they were read, such as the number of years in an average.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.instructions import Dialogue, Exchange
from training.open_sets.arithmetic import same_number, steps
from training.open_sets.evidence import Place, Text, show
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split
from training.open_sets.spans import answered
from training.open_sets.tables import Cells, Table, table_of, written
from training.phrasing import with_citations

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class _Report:
    """A table with its cells and head, and the texts to show: its parts, then the paragraphs."""

    cells: Cells
    num_head: int
    table: Table
    texts: tuple[Text, ...]

    def rows_with(self, words: str) -> list[int]:
        """Return the rows below the head with a cell that holds the words as a whole."""
        whole = re.compile(rf"(?<![\w.,]){re.escape(words)}(?![\w%]|[.,]\d)")
        rows = enumerate(self.cells[self.num_head :], start=self.num_head)
        return [number for number, row in rows if any(whole.search(written(cell)) for cell in row)]

    def places_in_text(self, words: str) -> list[Place]:
        whole = re.compile(rf"(?<![\w.,]){re.escape(words)}(?!\w|[.,]\d)")
        first = len(self.table.texts)
        paragraphs = enumerate(self.texts[first:], start=first)
        return [Place(n, at.start(), at.end()) for n, text in paragraphs for at in whole.finditer(text.text)]


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        for context in json.loads(path.read_text("utf-8")):
            report = _report(context["table"]["table"], context["paragraphs"])
            for record in context["questions"]:
                yield LeftOut("the head of the table is long") if report is None else _converted(record, report)


def _report(cells: Cells, paragraphs: Sequence[Mapping[str, Any]]) -> _Report | None:
    """Read a table; the rows above the first one with a name are its head."""
    num_head = next((number for number, row in enumerate(cells) if number > 0 and row and row[0].strip()), 1)
    table = table_of("Report > Table", cells, num_head)
    if table is None:
        return None
    texts = (*table.texts, *(Text("Report", paragraph["text"]) for paragraph in paragraphs))
    return _Report(cells, num_head, table, texts)


def _converted(record: Mapping[str, Any], report: _Report) -> Converted:
    match record["answer_type"]:
        case "span" if len(record["answer"]) == 1:
            exchange = _span(record, str(record["answer"][0]).strip(), report)
        case "arithmetic":
            exchange = _worked(record, report)
        case other:
            return LeftOut(f"answers of the type {other}")
    return exchange if isinstance(exchange, LeftOut) else Dialogue(record["uid"], "tatqa", "", (), (exchange,))


def _span(record: Mapping[str, Any], answer: str, report: _Report) -> Exchange | LeftOut:
    if record["derivation"]:
        return LeftOut("the answer is found by comparing")
    places = [*(report.table.rows[row] for row in report.rows_with(answer)), *report.places_in_text(answer)]
    if len(places) != 1:
        return LeftOut("the answer does not stand in one place")
    return answered(record["question"], report.texts, places[0], "tatqa", record["uid"], answer=written(answer))


def _worked(record: Mapping[str, Any], report: _Report) -> Exchange | LeftOut:
    worked = steps(record["derivation"])
    if worked is None or not worked[0] or not same_number(worked[1], str(record["answer"])):
        return LeftOut("the derivation is not exact")
    lines, result = worked
    numbers = list(dict.fromkeys(_NUMBER.findall(record["derivation"])))
    places = _stated(numbers, report)
    if places is None:
        return LeftOut("a number does not stand in one place")
    shown = show(record["question"], report.texts, places, record["uid"])
    if shown is None:
        return LeftOut("the numbers cannot be quoted")
    answer = with_citations(result, shown.numbers)
    return Exchange(shown.passages, record["question"], (*shown.lines, *lines), answer, "answer", "tatqa")


def _stated(numbers: Sequence[str], report: _Report) -> list[Place] | None:
    """Return where the numbers are read: in one row that has them all, else each in the one place that has it."""
    if any(len(number) == 1 for number in numbers):
        return None  # a count, or half of it
    rows = [set(report.rows_with(number)) for number in numbers]
    if len(together := set.intersection(*rows)) == 1:
        return [report.table.rows[together.pop()]]
    places: list[Place] = []
    for number, found in zip(numbers, rows, strict=True):
        stated = [*(report.table.rows[row] for row in found), *report.places_in_text(number)]
        if len(stated) != 1:
            return None
        places += stated
    return list(dict.fromkeys(places))


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
