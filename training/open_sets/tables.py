"""Tables of cells as the Markdown that retrieval keeps, and where a cell's row stands in it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Written:
    """A table as text, with the place of each row in it."""

    text: str
    rows: tuple[tuple[int, int], ...]


def written(cells: Sequence[Sequence[str]]) -> Written:
    """Write a table down; its first row is the head."""
    width = max((len(row) for row in cells), default=0)
    lines = [_line([*row, *[""] * (width - len(row))]) for row in cells]
    text, rows = "", []
    for number, line in enumerate(lines):
        rows.append((len(text), len(text) + len(line)))
        text += f"{line}\n"
        if number == 0:
            text += "|" + "---|" * width + "\n"
    return Written(text, tuple(rows))


def places_of(cells: Sequence[Sequence[str]], value: str) -> list[int]:
    """Return the numbers of the rows in which a cell is exactly `value`, once for each such cell."""
    return [number for number, row in enumerate(cells) for cell in row if cell.strip() == value]


def _line(row: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "/").replace('"', "'") for cell in row) + " |"
