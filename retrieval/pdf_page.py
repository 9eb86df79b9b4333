"""One page of a PDF as lines and tables in reading order.

A table is known by its ruled lines, or by two or more neighbouring lines whose parts stand in the same columns.
Coordinates are in points from the page's lower left corner.
"""

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pypdfium2
import pypdfium2.raw as pdfium

from retrieval.markup import one_line, table
from retrieval.pdf_rules import Grid, ruled_grids

EDGE = 0.085  # of the page's height: the margin where running heads stand
SOFT_HYPHENS = (0x02, 0xAD, 0xFFFE)
_GAP = 1.0  # in heights of the font: a wider space parts two columns
_ALIGNED = 4.0  # points
_ITEM_MARK = re.compile(r"\W{1,2}|\(?\w{1,4}[.)]|\d{1,2}(?:\.\d{1,2})+")


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of a line without a wide gap inside."""

    left: float
    right: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line, or a whole table, which has no cells."""

    text: str
    page: int
    at_edge: bool
    size: float
    bold: bool
    top: float
    bottom: float
    cells: tuple[Cell, ...]
    broken_word: bool = False  # ends in a hyphen that only marks the end of the line
    is_table: bool = False

    @property
    def left(self) -> float:
        return self.cells[0].left if self.cells else 0.0

    @property
    def right(self) -> float:
        return self.cells[-1].right if self.cells else 0.0


@dataclass(frozen=True, slots=True)
class _Character:
    index: int
    code: int
    left: float
    right: float
    top: float
    bottom: float

    @property
    def printed(self) -> bool:
        return self.code > 0x20 and self.code not in SOFT_HYPHENS


def page_lines(document: pypdfium2.PdfDocument, number: int) -> list[Line]:
    """Return the lines and tables of page `number`, from 0."""
    page = document[number]
    text_page = page.get_textpage()
    try:
        characters = [_character(text_page, index) for index in range(text_page.count_chars())]
        reading = _Reading(text_page, number, page.get_height(), ruled_grids(page))
        return _with_aligned_tables(reading.lines(characters))
    finally:
        text_page.close()
        page.close()


def _character(text_page: pypdfium2.PdfTextPage, index: int) -> _Character:
    box = pdfium.FS_RECTF()  # as high as the font, whatever the letter
    pdfium.FPDFText_GetLooseCharBox(text_page, index, box)
    code = pdfium.FPDFText_GetUnicode(text_page, index)
    return _Character(index, code, box.left, box.right, box.top, box.bottom)


class _Reading:
    """Puts the characters of one page into its lines and the cells of its ruled tables."""

    def __init__(self, text_page: pypdfium2.PdfTextPage, number: int, height: float, grids: Sequence[Grid]) -> None:
        self._text_page = text_page
        self._number = number
        self._body = (height * EDGE, height * (1 - EDGE))
        self._grids = grids

    def lines(self, characters: Sequence[_Character]) -> list[Line]:
        self._grids = [grid for grid in self._grids if self._holds_table(grid, characters)]
        found: list[Line | Grid] = []
        cells: dict[Grid, dict[tuple[int, int], list[_Character]]] = {}
        line: list[_Character] = []
        grid: Grid | None = None
        for character in characters:
            if character.printed:
                inside = self._grid_of(character)
                if inside is not grid:
                    found += self._line(line)
                    line = []
                    grid = inside
            if grid is not None:
                if grid not in cells:
                    found.append(grid)
                cell = self._cell_of(grid, character, cells.setdefault(grid, {}))
                cell.append(character)
                continue
            if line and line[-1].code in SOFT_HYPHENS and character.top < line[0].bottom:
                found += self._line(line)  # pdfium writes no line end behind a hyphen
                line = []
            line.append(character)
            if character.code == 0x0A:
                found += self._line(line)
                line = []
        found += self._line(line)
        return [self._table(entry, cells[entry]) if isinstance(entry, Grid) else entry for entry in found]

    def _holds_table(self, grid: Grid, characters: Sequence[_Character]) -> bool:
        """Say whether words stand in more than one row and column; else the lines are a frame around plain text."""
        places = {
            grid.place((character.left + character.right) / 2, (character.top + character.bottom) / 2)
            for character in characters
            if character.printed and self._grid_of(character) is grid
        }
        return all(len(set(numbers)) > 1 for numbers in zip(*places, strict=True)) if places else False

    def _grid_of(self, character: _Character) -> Grid | None:
        x, y = (character.left + character.right) / 2, (character.top + character.bottom) / 2
        return next((grid for grid in self._grids if grid.holds(x, y)), None)

    def _cell_of(
        self, grid: Grid, character: _Character, cells: dict[tuple[int, int], list[_Character]]
    ) -> list[_Character]:
        """Return the characters of the cell that this one belongs to; spaces go with the character before them."""
        if not character.printed and cells:
            return next(reversed(cells.values()))
        place = grid.place((character.left + character.right) / 2, (character.top + character.bottom) / 2)
        cell = cells.pop(place, [])
        cells[place] = cell  # last, for the spaces that follow
        return cell

    def _table(self, grid: Grid, cells: dict[tuple[int, int], list[_Character]]) -> Line:
        rows = [["" for _ in range(grid.num_columns)] for _ in range(grid.num_rows)]
        for (row, column), characters in cells.items():
            rows[row][column] = one_line(_joined(characters))
        return Line(table(rows), self._number, False, 0.0, False, grid.top, grid.bottom, (), is_table=True)

    def _line(self, characters: Sequence[_Character]) -> list[Line]:
        printed = [character for character in characters if character.printed]
        if not printed:
            return []
        samples = [printed[0], printed[len(printed) // 2], printed[-1]]
        size = sorted(sample.top - sample.bottom for sample in samples)[1]
        last = characters.index(printed[-1])
        line = Line(
            text=one_line(_text(characters)),
            page=self._number,
            at_edge=not self._body[0] < (printed[0].top + printed[0].bottom) / 2 < self._body[1],
            size=round(size * 2) / 2,
            bold=all(self._is_bold(sample) for sample in samples),
            top=max(sample.top for sample in samples),
            bottom=min(sample.bottom for sample in samples),
            cells=tuple(_cells(characters, size)),
            broken_word=any(character.code in SOFT_HYPHENS for character in characters[last:]),
        )
        return [line]

    def _is_bold(self, character: _Character) -> bool:
        if pdfium.FPDFText_GetFontWeight(self._text_page, character.index) >= 600:
            return True
        name = ctypes.create_string_buffer(128)
        pdfium.FPDFText_GetFontInfo(self._text_page, character.index, name, 128, ctypes.c_int())
        return b"bold" in name.value.lower() or b"black" in name.value.lower()


def _text(characters: Sequence[_Character]) -> str:
    return "".join(_letter(character.code) for character in characters if character.code not in SOFT_HYPHENS)


def _joined(characters: Sequence[_Character]) -> str:
    """Return the text of several lines; a word broken at the end of a line is whole again."""
    text: list[str] = []
    for place, character in enumerate(characters):
        broken = place > 0 and characters[place - 1].code in SOFT_HYPHENS
        if character.code not in SOFT_HYPHENS and not (broken and not character.printed):
            text.append(_letter(character.code))
    return "".join(text)


def _letter(code: int) -> str:
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code) if code else ""


def _cells(characters: Sequence[_Character], size: float) -> Iterator[Cell]:
    part: list[_Character] = []
    last: _Character | None = None
    for character in characters:
        if character.printed and last is not None and character.left - last.right > _GAP * size:
            yield _cell(part)
            part = []
        if character.printed:
            last = character
        part.append(character)
    if last is not None:
        yield _cell(part)


def _cell(characters: Sequence[_Character]) -> Cell:
    printed = [character for character in characters if character.printed]
    return Cell(printed[0].left, printed[-1].right, one_line(_text(characters)))


def _with_aligned_tables(lines: Sequence[Line]) -> list[Line]:
    """Return the lines with each run of lines that stand in the same columns made one table."""
    result: list[Line] = []
    first = 0
    while first < len(lines):
        last = first
        while last + 1 < len(lines) and _in_columns(lines[first], lines[last], lines[last + 1]):
            last += 1
        run = lines[first : last + 1]
        if len(run) >= 3 or (len(run) == 2 and len(run[0].cells) >= 3):
            text = table([[cell.text for cell in line.cells] for line in run])
            result.append(replace(run[0], text=text, bottom=run[-1].bottom, size=0.0, cells=(), is_table=True))
        else:
            result += run
        first = last + 1
    return result


def _in_columns(first: Line, previous: Line, line: Line) -> bool:
    """Say whether `line` goes on with a table of short cells: as many, each aligned left, right or in the middle."""
    if len(first.cells) < 2 or len(line.cells) != len(first.cells) or line.at_edge != first.at_edge:
        return False
    if _ITEM_MARK.fullmatch(first.cells[0].text):  # a list, whose marks stand in a column
        return False
    if previous.bottom - line.top > 1.5 * max(line.size, 6) or line.top > previous.top:
        return False
    if max(len(cell.text) for cell in (*first.cells, *line.cells)) > 60:
        return False
    return all(_aligned(one, other) for one, other in zip(first.cells, line.cells, strict=True))


def _aligned(one: Cell, other: Cell) -> bool:
    middles = abs(one.left + one.right - other.left - other.right) / 2
    return min(abs(one.left - other.left), abs(one.right - other.right), middles) < _ALIGNED
