"""WikiTableQuestions: questions over tables of an encyclopedia, of which only the answer is given.

Kept are answers that are one cell, which stands nowhere else in the table: its row is quoted. In a look-up the other
cells of that row share more words with the question than any other row; a question that compares rows is kept where
the table is short enough to be shown whole. Left out are answers in numbers, which may have been counted or computed.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from retrieval.words import stems
from training.instructions import Dialogue, Exchange
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split
from training.open_sets.spans import answered
from training.open_sets.tables import Cells, table_of, written

_COMPARES = re.compile(
    r"\b(?:first|last|latest|earliest|next|previous|prior|before|after|follow\w*|preced\w*|consecutive|right below|"
    r"above|below|more|less|fewer|most|least|than|same|other|another|besides|also|both|either|or|only|total|average|"
    r"difference|number of|how many|how much|top|bottom|\w+est)\b",
    re.IGNORECASE,
)
_MAX_PARTS = 3
_NUMERIC = re.compile(r"[\d\s.,:%$€£+–-]+")


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        for line in path.read_text("utf-8").splitlines()[1:]:
            name, question, table, value = line.split("\t")[:4]
            yield _converted(name, question, folder / table, value)


def _converted(name: str, question: str, path: Path, value: str) -> Converted:
    if not path.is_file():
        return LeftOut("its table is not there")
    if "|" in value or _NUMERIC.fullmatch(value):
        return LeftOut("the answer is a number or has parts")
    cells = _cells(path)
    holders = [row for row, line in enumerate(cells) for cell in line if cell.strip() == value.strip()]
    if len(holders) != 1 or holders[0] == 0:
        return LeftOut("the answer is not one cell alone")
    exchange = _exchange(name, question, cells, holders[0], value)
    return exchange if isinstance(exchange, LeftOut) else Dialogue(name, "wikitablequestions", "", (), (exchange,))


def _exchange(name: str, question: str, cells: Cells, row: int, value: str) -> Exchange | LeftOut:
    table = table_of("Table", cells, 1)
    if table is None:
        return LeftOut("the head of the table is long")
    compares = _COMPARES.search(question) is not None
    if compares and len(table.texts) > _MAX_PARTS:
        return LeftOut("the question compares rows of a long table")
    if not compares and not _is_named(question, cells, row, value):
        return LeftOut("the question does not name one row")
    whole = len(table.texts) if compares else 0
    answer, place = written(value), table.rows[row]
    return answered(question, table.texts, place, "wikitablequestions", name, answer=answer, num_passages=whole)


def _is_named(question: str, cells: Cells, row: int, value: str) -> bool:
    """Return whether the other cells of a row share more words with the question than those of any other row."""
    asked = set(stems(question))
    shared = [
        len(asked.intersection(stems(" ".join(cell for cell in line if cell.strip() != value.strip()))))
        for line in cells[1:]
    ]
    best = shared[row - 1]
    return best > 0 and sum(count >= best for count in shared) == 1


@lru_cache(maxsize=256)
def _cells(path: Path) -> tuple[tuple[str, ...], ...]:
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(tuple(row) for row in csv.reader(file, escapechar="\\"))


_SHARED = Licence("CC-BY-SA-4.0", share_alike=True)
SET = OpenSet(
    name="wikitablequestions",
    about="look-ups in tables",
    source="https://github.com/ppasupat/WikiTableQuestions",
    splits={
        "train": Split("data/training.tsv", _SHARED),
        "test-unseen-tables": Split("data/pristine-unseen-tables.tsv", _SHARED),
        "test-seen-tables": Split("data/pristine-seen-tables.tsv", _SHARED),
    },
    read=_read,
)
