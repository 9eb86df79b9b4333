"""XLSX to Markdown: every visible sheet under its name, its tables as rows under their first, values as shown.

Hidden sheets, rows and columns are left out: what a person does not see is no answer. Formulas show the value stored
with them, and their own text where none was ever stored.
"""

import io
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from lxml import etree
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException, ReadOnlyWorkbookException

from retrieval.archive import DAMAGE
from retrieval.markup import Block, Parsed, Refused, at, heading, joined, one_line
from retrieval.number_format import shown
from retrieval.rows import row_blocks
from retrieval.sheet_layout import Layout, read_layout

MAX_SHEETS = 500
MAX_CELLS = 1_000_000  # filled ones, of all sheets


def read_xlsx(data: bytes) -> Parsed:
    """Read a workbook; its macros, charts and pictures are left out.

    Raises:
        Refused: it is damaged, or has too many sheets or cells.
    """
    try:
        _check_sheets(data)
        with warnings.catch_warnings(action="ignore"):
            workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            return joined(list(_blocks(workbook)), one_line(str(workbook.properties.title or "")))
    except Refused:
        raise
    except (*DAMAGE, InvalidFileException, ReadOnlyWorkbookException) as error:
        raise Refused("is a damaged spreadsheet; open it in its program, save it as XLSX and try again") from error


def _check_sheets(data: bytes) -> None:
    """Count the sheets before openpyxl opens each of them."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open("xl/workbook.xml") as source:
        sheets = etree.iterparse(source, tag="{*}sheet", resolve_entities=False, no_network=True, load_dtd=False)
        count = sum(1 for _ in sheets)
    if count > MAX_SHEETS:
        raise Refused(f"has {count} sheets, more than {MAX_SHEETS}; split it and try again")


def _blocks(workbook: Any) -> Iterator[Block]:
    visible = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
    if not visible:
        raise Refused("has hidden sheets only; unhide what is to be read and try again")
    left = MAX_CELLS
    for sheet in visible:
        with workbook._archive.open(sheet._worksheet_path) as source:
            layout = read_layout(source)
        rows = list(_rows(sheet, layout, left))
        left -= sum(map(_filled, rows))
        if rows:
            yield at(f"sheet {one_line(sheet.title)}", heading(1, sheet.title))
            yield from row_blocks(rows)


def _rows(sheet: Any, layout: Layout, cells_left: int) -> Iterator[list[str]]:
    """Yield the visible rows as shown up to the last filled one, those that are empty as []."""
    sheet.reset_dimensions()  # what a file says of its size may be wrong
    reaching: dict[int, tuple[int, str]] = {}  # column -> last row of a merged range, its text
    empty = False
    for number, row in enumerate(sheet.iter_rows(min_row=1, min_col=1), start=1):
        texts = [_text(cell, layout) for cell in row]
        reaching |= {column: (last, _at(texts, column)) for column, last in layout.merged.get(number, ())}
        if any(texts):
            _fill_merged(texts, number, reaching)
        if number in layout.hidden_rows:
            continue
        visible = [text for column, text in enumerate(texts, start=1) if column not in layout.hidden_columns]
        cells_left -= _filled(visible)
        if cells_left < 0:
            raise Refused(f"has more than {MAX_CELLS:,} filled cells; save what matters as CSV files and try again")
        if not any(visible):
            empty = True
            continue
        if empty:
            yield []
        empty = False
        yield visible


def _text(cell: Any, layout: Layout) -> str:
    if cell.value is not None:
        return one_line(shown(cell.value, cell.number_format or "General"))
    if not layout.formulas or not hasattr(cell, "row"):  # most cells; one that the file leaves out has no place
        return ""
    return layout.formulas.get((cell.row, cell.column), "")


def _fill_merged(texts: list[str], number: int, reaching: dict[int, tuple[int, str]]) -> None:
    """Repeat the text of a cell that spans rows in each of them; one that spans columns stands in its first."""
    for column, (last, text) in list(reaching.items()):
        if number > last:
            del reaching[column]
        elif text and not _at(texts, column):
            texts += [""] * (column - len(texts))
            texts[column - 1] = text


def _at(texts: list[str], column: int) -> str:
    return texts[column - 1] if column <= len(texts) else ""


def _filled(texts: list[str]) -> int:
    return sum(map(bool, texts))
