"""Tables of cells as Markdown rows, cut into parts that each begin with the head of the table.

A part is shown whole: of rows without their head nobody can tell what the columns are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from training.open_sets.evidence import Place, Text

_PART_CHARACTERS = 600
_LONGEST_HEAD = 300
Cells = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as texts to show, and the place of each row that is not of the head: its cells without the outer bars."""

    texts: tuple[Text, ...]
    rows: dict[int, Place]


def table_of(title: str, cells: Cells, num_head: int) -> Table | None:
    """Cut a table into parts; None where the head alone is too long."""
    width = max((len(row) for row in cells), default=0)
    lines = [_line([*row, *[""] * (width - len(row))]) for row in cells]
    head = "".join(f"{line}\n" for line in lines[:num_head])
    if len(head) > _LONGEST_HEAD:
        return None
    parts: list[str] = []
    rows: dict[int, Place] = {}
    for number, line in enumerate(lines[num_head:], start=num_head):
        if not parts or len(parts[-1]) + len(line) > _PART_CHARACTERS:
            parts.append(head)
        start = len(parts[-1])
        rows[number] = Place(len(parts) - 1, start + 2, start + len(line) - 2)
        parts[-1] += f"{line}\n"
    return Table(tuple(Text(title, part.rstrip("\n"), divided=True) for part in parts), rows)


def written(cell: str) -> str:
    """Return a cell as it stands in a row."""
    return " ".join(cell.split()).replace("|", "/").replace('"', "'")


def _line(row: Sequence[str]) -> str:
    return f"| {' | '.join(map(written, row))} |"
