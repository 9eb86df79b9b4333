"""From the rows of a sheet or a delimited file to tables and lines of text.

An empty row ends a table. Rows with one filled cell above and below a table are lines of text, inside it they are rows.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from retrieval.markup import Block, table

_NUMBER = re.compile(r"[-+(]?[^\w\s]?\s?\d[\d.,:/'\u2019\u202f\xa0 -]*[^\w\s]?\)?(?:\s?[€$£¥]|\s?[A-Z]{3})?")
_YEAR = re.compile(r"(?:19|20)\d\d")


def row_blocks(rows: Iterable[Sequence[str]]) -> Iterator[Block]:
    """Yield the text and the tables of the rows in order; a table's first row names its columns.

    Where the first row is data (all numbers, not years), the columns are named A, B, C; where a table goes on behind an
    empty row, its names are repeated.
    """
    header: list[str] = []
    numeric: set[int] = set()
    for group in _groups(rows):
        before, body, after = _around_table(group)
        yield from before
        if body:
            goes_on = bool(header) and not before and bool(numeric & _numeric_columns(body[:1]))
            if not goes_on:
                header = _letters(body) if _is_data(body[0]) else []
            yield Block(table([header, *body] if header else body))
            header = header or list(body[0])
            numeric = _numeric_columns(body[1:] if header == list(body[0]) else body)
        yield from after


def is_number(text: str) -> bool:
    """Say whether a cell holds an amount, a date or a time."""
    return _NUMBER.fullmatch(text) is not None


def _groups(rows: Iterable[Sequence[str]]) -> Iterator[list[Sequence[str]]]:
    group: list[Sequence[str]] = []
    for row in rows:
        if any(cell.strip() for cell in row):
            group.append(row)
        elif group:
            yield group
            group = []
    if group:
        yield group


def _around_table(group: Sequence[Sequence[str]]) -> tuple[list[Block], Sequence[Sequence[str]], list[Block]]:
    wide = [number for number, row in enumerate(group) if sum(bool(cell.strip()) for cell in row) > 1]
    first, last = (wide[0], wide[-1] + 1) if wide else (len(group), len(group))
    before, after = ([_line(row) for row in rows] for rows in (group[:first], group[last:]))
    return before, group[first:last], after


def _line(row: Sequence[str]) -> Block:
    return Block(next(cell for cell in row if cell.strip()))


def _is_data(row: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in row if cell.strip()]
    return all(is_number(cell) for cell in filled) and not all(_YEAR.fullmatch(cell) for cell in filled)


def _numeric_columns(rows: Sequence[Sequence[str]]) -> set[int]:
    return {column for row in rows[:20] for column, cell in enumerate(row) if is_number(cell.strip())}


def _letters(rows: Sequence[Sequence[str]]) -> list[str]:
    return [_letter(column) for column in range(max(map(len, rows)))]


def _letter(column: int) -> str:
    letters = ""
    while column >= 0:
        letters = chr(ord("A") + column % 26) + letters
        column = column // 26 - 1
    return letters
