"""PDF to Markdown: lines in reading order, joined to paragraphs, headings found by size, weight and numbering."""

import ctypes
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from retrieval.markup import Parsed, Refused, heading, one_line

MAX_PAGES = 3000
_EDGE = 0.085  # of the page's height

_BULLET = re.compile(r"^[•‣◦▪●○■\uf0b7\uf0a7–]\s*")
_ITEM = re.compile(r"^(?:- |\(?(?:\d{1,3}|[A-Za-z]|[ivxlc]{1,5})[.)]\s)")
_NUMBERED = re.compile(
    r"^(?:(?:section|article|chapter|part|annex|appendix)\s+)?\d{1,2}(?:\.\d{1,2})*\.?\s+[A-Z]", re.I
)
_NO_TITLE = re.compile(r"^\W*(?:anonymous|untitled|unnamed|title|document\d*)?\W*$|^microsoft |\.\w{2,5}$", re.I)
_SOFT_HYPHENS = (0x02, 0xAD, 0xFFFE)


@dataclass(frozen=True, slots=True)
class _Line:
    """One printed line; sizes and places in points, counted from the page's lower left corner."""

    text: str
    page: int
    at_edge: bool  # in the margin above or below the body, where running heads stand
    size: float
    bold: bool
    top: float
    bottom: float
    left: float
    right: float
    broken_word: bool  # ends in a hyphen that only marks the end of the line


def read_pdf(data: bytes) -> Parsed:
    """Read a PDF's text layer.

    Raises:
        Refused: it is damaged, cut off, locked, too long, or holds pictures of text only.
    """
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
            raise Refused("is locked with a password; remove the password and try again") from error
        raise Refused("is a damaged PDF; export it again and try again") from error
    if b"%%EOF" not in data[-4096:]:
        raise Refused("is a PDF that was cut off before its end; copy or export it again and try again")
    if len(document) > MAX_PAGES:
        raise Refused(f"has {len(document)} pages, more than {MAX_PAGES}; split it and try again")
    try:
        lines = [line for number in range(len(document)) for line in _page_lines(document, number)]
    except pypdfium2.PdfiumError as error:
        raise Refused("is a PDF with a damaged page; export it again and try again") from error
    if not any(line.text.strip() for line in lines):
        raise Refused("holds no text, only pictures of pages; run text recognition (OCR) on it and try again")
    kept = _without_running_heads(lines, len(document))
    text, first_heading = _markdown(kept)
    return Parsed(text, _declared_title(document) or first_heading)


def _declared_title(document: pypdfium2.PdfDocument) -> str:
    """Return the title in the file's properties, unless a program put its own words or a file name there."""
    title = one_line(document.get_metadata_value("Title"))
    return "" if _NO_TITLE.search(title) else title


def _page_lines(document: pypdfium2.PdfDocument, number: int) -> Iterator[_Line]:
    page = document[number]
    text_page = page.get_textpage()
    edge = page.get_height() * _EDGE
    body = (edge, page.get_height() - edge)
    try:
        count = text_page.count_chars()
        start = 0
        codes: list[int] = []
        for index in range(count):
            code = pdfium.FPDFText_GetUnicode(text_page, index)
            codes.append(code)
            if code == 0x0A or index == count - 1:
                if line := _line(text_page, codes, start, number, body):
                    yield line
                start = index + 1
                codes = []
    finally:
        text_page.close()
        page.close()


def _line(
    text_page: pypdfium2.PdfTextPage, codes: Sequence[int], start: int, page: int, body: tuple[float, float]
) -> _Line | None:
    printed = [offset for offset, code in enumerate(codes) if code > 0x20 and code not in _SOFT_HYPHENS]
    if not printed:
        return None
    broken = any(code in _SOFT_HYPHENS for code in codes[printed[-1] :])
    kept = (code for code in codes if code not in (0x0A, 0x0D, *_SOFT_HYPHENS) and code)
    text = "".join(chr(code) if not 0xD800 <= code < 0xE000 else "\ufffd" for code in kept)
    first, middle, last = (start + printed[place] for place in (0, len(printed) // 2, -1))
    boxes = [_box(text_page, index) for index in (first, middle, last)]
    bold = all(pdfium.FPDFText_GetFontWeight(text_page, index) >= 600 for index in (first, middle, last)) or all(
        _is_bold(text_page, index) for index in (first, middle, last)
    )
    size = sorted(box.top - box.bottom for box in boxes)[1]
    return _Line(
        _BULLET.sub("- ", text.strip()),
        page,
        not body[0] < (boxes[0].top + boxes[0].bottom) / 2 < body[1],
        round(size * 2) / 2,
        bold,
        max(box.top for box in boxes),
        min(box.bottom for box in boxes),
        boxes[0].left,
        boxes[2].right,
        broken,
    )


def _box(text_page: pypdfium2.PdfTextPage, index: int) -> pdfium.FS_RECTF:
    """Return the box of a character that is as high as its font, whatever the letter."""
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, index, box)
    return box


def _is_bold(text_page: pypdfium2.PdfTextPage, index: int) -> bool:
    name = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(text_page, index, name, 128, flags)
    return b"bold" in name.value.lower() or b"black" in name.value.lower()


def _without_running_heads(lines: Sequence[_Line], num_pages: int) -> list[_Line]:
    """Drop lines in the margins that at least half the pages have at the same height, their numbers aside."""
    if num_pages < 3:
        return list(lines)
    pages: dict[tuple[str, int], set[int]] = {}
    for line in lines:
        pages.setdefault(_place(line), set()).add(line.page)
    often = max(3, num_pages // 2)
    return [line for line in lines if not (line.at_edge and len(pages[_place(line)]) >= often)]


def _place(line: _Line) -> tuple[str, int]:
    return re.sub(r"\d+", "0", line.text), round(line.top / 4)


def _markdown(lines: Sequence[_Line]) -> tuple[str, str]:
    """Return the text and its first heading."""
    levels = _heading_levels(lines)
    right_edge = _usual_right_edge(lines)
    parts: list[str] = []
    first_heading = ""
    previous: _Line | None = None
    for line in lines:
        level = levels.get(_looks(line), 0) if _may_head(line) else 0
        follows = previous is not None and _follows(previous, line, right_edge)
        was_heading = previous is not None and parts[-1].startswith("#")
        if level and was_heading and previous and _looks(previous) == _looks(line) and _near(previous, line):
            parts[-1] += f" {line.text}"
        elif level:
            parts += ["\n\n" if parts else "", heading(level, line.text)]
        elif was_heading or previous is None:
            parts += ["\n\n" if parts else "", line.text]
        elif previous.broken_word and line.text[:1].islower():
            parts[-1] += line.text
        elif follows:
            parts[-1] += f" {line.text}"
        else:
            parts += ["\n" if _near(previous, line) else "\n\n", line.text]
        if level and not first_heading:
            first_heading = line.text
        previous = line
    return "".join(parts) + "\n", first_heading


def _looks(line: _Line) -> tuple[float, bool]:
    return line.size, line.bold


def _may_head(line: _Line) -> bool:
    text = line.text
    return 2 < len(text) <= 120 and sum(map(str.isalpha, text)) >= 3 and not text.endswith((".", ",", ";", ":"))


def _heading_levels(lines: Sequence[_Line]) -> dict[tuple[float, bool], int]:
    """Return the level of each look (size, weight) that is larger than the body's, or as large and bold.

    A look that covers a good part of the text is no heading, however large.
    """
    weight: Counter[tuple[float, bool]] = Counter()
    for line in lines:
        weight[_looks(line)] += len(line.text)
    total = sum(weight.values())
    body = max(weight, key=lambda look: (weight[look], look))
    larger = [look for look in weight if look[0] >= body[0] * 1.12 and weight[look] < 0.25 * total]
    bolder = [look for look in weight if look[1] and not body[1] and body[0] * 0.95 <= look[0] < body[0] * 1.12]
    ranked = sorted(larger, key=lambda look: (-look[0], not look[1]))
    ranked += sorted((look for look in bolder if weight[look] < 0.2 * total), key=lambda look: -look[0])
    return {look: min(rank, 4) for rank, look in enumerate(ranked, start=1)}


def _usual_right_edge(lines: Sequence[_Line]) -> float:
    edges = sorted(line.right for line in lines if len(line.text) > 40)
    return edges[int(len(edges) * 0.8)] if edges else 0.0


def _near(previous: _Line, line: _Line) -> bool:
    gap = previous.bottom - line.top
    return previous.page == line.page and -line.size < gap < 0.7 * line.size


def _follows(previous: _Line, line: _Line, right_edge: float) -> bool:
    """Say whether `line` goes on with the paragraph of `previous`: a full line before it, no item or gap between."""
    if _ITEM.match(line.text) or _looks(previous)[0] != _looks(line)[0]:
        return False
    if previous.right < right_edge * 0.82 and not line.text[:1].islower():
        return False
    if previous.page != line.page:
        return line.text[:1].islower() and not previous.text.endswith((".", "!", "?", ":"))
    return _near(previous, line)
