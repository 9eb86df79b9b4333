"""Delimited text to Markdown; the delimiter is the one that cuts most lines alike, and cells stay as written."""

import csv
import re
from collections import Counter

from retrieval.decoding import decode
from retrieval.markup import Parsed, Refused, joined, one_line
from retrieval.rows import row_blocks

_DELIMITERS = ("\t", ";", "|", ",")  # the comma last: it also stands in numbers and sentences
_SAMPLE_CHARS = 1 << 16
_CELL_CHARS = 1 << 20
_DECLARED = re.compile(r"sep=(.)\r?\n", re.I)


def read_csv(data: bytes) -> Parsed:
    """Read delimited text with one row a line.

    Raises:
        Refused: it is not text, or a quotation mark is never closed.
    """
    text = decode(data).lstrip("\ufeff")
    delimiter = find_delimiter(text)
    if declared := _DECLARED.match(text):
        text = text[declared.end() :]
    csv.field_size_limit(_CELL_CHARS)
    try:
        rows = [[one_line(cell) for cell in row] for row in csv.reader(_lines(text), delimiter=delimiter)]
    except csv.Error as error:
        raise Refused(
            "has a cell of over a million characters; close the quotation mark that opens it and try again"
        ) from error
    return joined(row_blocks(rows), "")


def find_delimiter(text: str) -> str:
    """Return the delimiter that gives the largest share of lines the same number of cells, more than one."""
    if declared := _DECLARED.match(text):
        return declared[1]
    lines = _lines(text[:_SAMPLE_CHARS])[:500]
    evenness = {delimiter: _evenness(lines, delimiter) for delimiter in _DELIMITERS}
    return max(_DELIMITERS, key=lambda delimiter: evenness[delimiter])


def _evenness(lines: list[str], delimiter: str) -> float:
    try:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if any(map(str.strip, row)))
    except csv.Error:
        return 0.0
    commonest = max((count for width, count in widths.items() if width > 1), default=0)
    return commonest / max(widths.total(), 1)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").splitlines(keepends=True)
