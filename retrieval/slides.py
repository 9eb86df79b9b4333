"""PPTX to Markdown: each shown slide under its title, with lists, tables, charts as tables of their values, and notes.

Hidden slides, pictures and what repeats on every slide (number, date, footer) are left out.
"""

import io
from collections.abc import Iterator
from typing import Any

from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.exc import PythonPptxError
from pptx.oxml.ns import qn

from retrieval.archive import DAMAGE, as_plain_document
from retrieval.drawings import chart_rows, diagram_words
from retrieval.markup import Block, Parsed, Refused, at, heading, joined, list_item, one_line, table
from retrieval.slide_lists import text_blocks

MAX_SLIDES = 3000
_MAX_DEPTH = 30  # groups in groups
_ROW = 228_600  # English metric units (a quarter of an inch): shapes whose tops differ by less stand side by side
_REPEATED = frozenset({PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.HEADER})
_OPENING_LAYOUTS = ("title", "secHead")  # of the whole deck, or of a part of it


def read_pptx(data: bytes) -> Parsed:
    """Read a presentation; its macros, animations and comments are left out.

    Raises:
        Refused: it is damaged, too long, or all of its slides are hidden.
    """
    try:
        presentation = Presentation(io.BytesIO(as_plain_document(data)))
        shown = [(number, slide) for number, slide in enumerate(presentation.slides, start=1) if _is_shown(slide)]
        if len(shown) > MAX_SLIDES:
            raise Refused(f"has {len(shown)} slides, more than {MAX_SLIDES}; split it and try again")
        if not shown:
            raise Refused("has no slides that are shown; unhide what is to be read and try again")
        title = next((title for _, slide in shown if (title := _title(slide))), "")
        return joined([block for number, slide in shown for block in _slide_blocks(number, slide)], title)
    except Refused:
        raise
    except (*DAMAGE, PythonPptxError) as error:
        raise Refused("is a damaged presentation; open it in its program, save it as PPTX and try again") from error


def _is_shown(slide: Any) -> bool:
    return slide._element.get("show") not in ("0", "false")


def _title(slide: Any) -> str:
    shape = slide.shapes.title
    return one_line(shape.text_frame.text) if shape is not None and shape.has_text_frame else ""


def _slide_blocks(number: int, slide: Any) -> Iterator[Block]:
    level = 1 if slide.slide_layout._element.get("type") in _OPENING_LAYOUTS else 2
    yield at(f"slide {number}", heading(level, _title(slide) or f"Slide {number}"))
    yield from _shapes(slide.shapes, slide, 0)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = [one_line(line) for line in slide.notes_slide.notes_text_frame.text.splitlines()]
        words = [line for line in notes if line]
        yield from (Block(f"Notes: {line}" if place == 0 else line) for place, line in enumerate(words))


def _shapes(shapes: Any, slide: Any, depth: int) -> Iterator[Block]:
    """Yield what stands on a slide, from the top and from the left."""
    if depth > _MAX_DEPTH:
        raise Refused("has too many groups inside groups; ungroup them, save it again and try again")
    title = getattr(shapes, "title", None)
    for shape in sorted(shapes, key=_position):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if shape.is_placeholder and shape.placeholder_format.type in _REPEATED:
            continue
        if shape._element.tag == qn("p:grpSp"):
            yield from _shapes(shape.shapes, slide, depth + 1)
        elif shape.has_text_frame:
            yield from text_blocks(shape, slide)
        elif shape._element.tag == qn("p:graphicFrame"):
            yield from _graphic(shape, slide)


def _position(shape: Any) -> tuple[int, int]:
    return (shape.top or 0) // _ROW, shape.left or 0


def _graphic(frame: Any, slide: Any) -> Iterator[Block]:
    if frame.has_table:
        yield Block(table(_table_rows(frame.table)))
    elif frame.has_chart:
        title, rows = chart_rows(frame.chart_part.blob)
        yield Block(title)
        yield Block(table(rows))
    else:
        words = diagram_words(frame._element, slide.part)
        yield from (Block(list_item(0, None, text), place > 0) for place, text in enumerate(words))


def _table_rows(grid: Any) -> list[list[str]]:
    """Return the cells: one that spans rows stands in each, one that spans columns in its first."""
    rows: list[list[str]] = []
    for row in grid.rows:
        cells = [
            rows[-1][column] if cell._tc.vMerge and rows else "" if cell._tc.hMerge else one_line(cell.text_frame.text)
            for column, cell in enumerate(row.cells)
        ]
        rows.append(cells)
    return rows
