"""What a worksheet says beside its values: what is hidden, what is merged, which formulas were never calculated."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import IO, Any

from lxml import etree
from openpyxl.utils.cell import coordinate_to_tuple, range_boundaries

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_CELL, _FORMULA, _VALUE = _MAIN + "c", _MAIN + "f", _MAIN + "v"
_ROW, _COLUMN, _MERGED, _FILTER = _MAIN + "row", _MAIN + "col", _MAIN + "mergeCell", _MAIN + "autoFilter"
_LAST_COLUMN = 16_384


@dataclass(slots=True)
class Layout:
    """Rows and columns count from 1."""

    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    merged: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """By the first row of a range over several rows: its first column and its last row."""
    formulas: dict[tuple[int, int], str] = field(default_factory=dict)
    """By row and column, of cells without a stored value."""


def read_layout(source: IO[bytes]) -> Layout:
    """Read the XML of one worksheet.

    A row that a filter or a closed group hides is not hidden here: people open those every day.
    """
    layout = Layout()
    row = 0
    filtered = range(0)
    tags = (_ROW, _COLUMN, _MERGED, _FILTER)
    for _, element in etree.iterparse(source, tag=tags, resolve_entities=False, no_network=True, load_dtd=False):
        if element.tag == _ROW:
            row = int(element.get("r") or row + 1)
            _read_row(element, row, layout)
        elif element.tag == _COLUMN and _is_hidden(element):
            first, last = int(element.get("min")), int(element.get("max"))
            layout.hidden_columns.update(range(first, min(last, _LAST_COLUMN) + 1))
        elif element.tag == _MERGED:
            left, top, _, bottom = range_boundaries(element.get("ref"))
            layout.merged[top] += [(left, bottom)] if bottom > top else []
        elif element.tag == _FILTER and element.get("ref"):
            _, top, _, bottom = range_boundaries(element.get("ref"))
            filtered = range(top, bottom + 1)
        _forget(element)
    layout.hidden_rows = {number for number in layout.hidden_rows if number not in filtered}
    return layout


def _read_row(element: Any, row: int, layout: Layout) -> None:
    if _is_hidden(element):
        layout.hidden_rows.add(row)
    column = 0
    for cell in element.iterchildren(_CELL):
        reference = cell.get("r")
        column = coordinate_to_tuple(reference)[1] if reference else column + 1
        formula = cell.find(_FORMULA)
        if formula is not None and not cell.findtext(_VALUE):
            layout.formulas[row, column] = f"={formula.text or ''}"


def _is_hidden(element: Any) -> bool:
    return element.get("hidden") in ("1", "true") and (element.get("outlineLevel") or "0") == "0"


def _forget(element: Any) -> None:
    """Free what was read, so that a sheet of any size takes the memory of one row."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
