"""WikiTableQuestions: questions over tables of an encyclopedia, of which only the answer is given.

Kept are those whose answer is one cell of the table that stands nowhere else in it, in a row or under a head that
shares a word with the question: a look-up, where the row can be quoted. Counts and sums are left out.
"""

import csv
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from retrieval.words import stems
from training.instructions import Dialogue
from training.open_sets.evidence import Place, Text
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split
from training.open_sets.spans import answered
from training.open_sets.tables import places_of, written


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        for line in path.read_text("utf-8").splitlines()[1:]:
            name, question, table, value = line.split("\t")[:4]
            yield _converted(name, question, folder / table, value)


def _converted(name: str, question: str, table: Path, value: str) -> Converted:
    if not table.is_file():
        return LeftOut("its table is not there")
    cells = _cells(table)
    rows = [row for row in places_of(cells, value) if row > 0]
    if "|" in value or len(rows) != 1:
        return LeftOut("the answer is not one cell alone")
    row = rows[0]
    column = next(i for i, cell in enumerate(cells[row]) if cell.strip() == value)
    near = [*cells[row], cells[0][column] if column < len(cells[0]) else ""]
    if not set(stems(question)) & set(stems(" ".join(near))):
        return LeftOut("the question does not name the row")
    whole = written(cells)
    start = whole.text.find(f" {' '.join(value.split())} ", whole.rows[row][0]) + 1
    place = Place(0, start, start + len(" ".join(value.split())))
    exchange = answered(question, [Text("Table", whole.text)], place, "wikitablequestions", name)
    return exchange if isinstance(exchange, LeftOut) else Dialogue(name, "wikitablequestions", "", (), (exchange,))


@lru_cache(maxsize=256)
def _cells(table: Path) -> tuple[tuple[str, ...], ...]:
    with table.open(encoding="utf-8", newline="") as file:
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
