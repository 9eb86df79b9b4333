"""PDF to Markdown: lines in reading order, joined to paragraphs, headings found by size, weight and numbering."""

import re
from collections import Counter
from collections.abc import Sequence

import pypdfium2
import pypdfium2.raw as pdfium

from retrieval.markup import PAGE_BREAK, Parsed, Refused, heading, one_line
from retrieval.pdf_page import Line, page_lines

MAX_PAGES = 3000

_BULLET = re.compile(r"^[•‣◦▪●○■\uf0b7\uf0a7–]\s*")
_ITEM = re.compile(r"^(?:- |[•‣◦▪●○■]|\d{1,2}(?:\.\d{1,2})+\.?\s|\(?(?:\d{1,3}|[A-Za-z]|[ivxlc]{1,5})[.)]\s)")
_NUMBERED = re.compile(
    r"^(?:(?:section|article|chapter|part|annex|appendix)\s+)?\d{1,2}(?:\.\d{1,2})*\.?\s+[A-Z]", re.I
)
_NO_TITLE = re.compile(r"^\W*(?:anonymous|untitled|unnamed|title|document\d*)?\W*$|^microsoft |\.\w{2,5}$", re.I)


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
        lines = [line for number in range(len(document)) for line in page_lines(document, number)]
    except pypdfium2.PdfiumError as error:
        raise Refused("is a PDF with a damaged page; export it again and try again") from error
    if not any(line.text.strip() for line in lines):
        raise Refused("holds no text, only pictures of pages; run text recognition (OCR) on it and try again")
    kept = _without_running_heads(lines, len(document))
    text, first_heading = _markdown(kept)
    pages = dict.fromkeys(line.page + 1 for line in kept)
    return Parsed(text, _declared_title(document) or first_heading, tuple(f"page {page}" for page in pages))


def _declared_title(document: pypdfium2.PdfDocument) -> str:
    """Return the title in the file's properties, unless a program put its own words or a file name there."""
    title = one_line(document.get_metadata_value("Title"))
    return "" if _NO_TITLE.search(title) else title


def _without_running_heads(lines: Sequence[Line], num_pages: int) -> list[Line]:
    """Drop lines in the margins that at least half the pages have at the same height, their numbers aside."""
    if num_pages < 3:
        return list(lines)
    pages: dict[tuple[str, int], set[int]] = {}
    for line in lines:
        pages.setdefault(_place(line), set()).add(line.page)
    often = max(3, num_pages // 2)
    return [line for line in lines if not (line.at_edge and len(pages[_place(line)]) >= often)]


def _place(line: Line) -> tuple[str, int]:
    return re.sub(r"\d+", "0", line.text), round(line.top / 4)


def _markdown(lines: Sequence[Line]) -> tuple[str, str]:
    """Return the text, with a page break where each page starts, and the first heading."""
    levels = _heading_levels(lines)
    right_edge = _usual_right_edge(lines)
    parts: list[str] = []
    headings: list[str] = []
    previous, above = None, 0
    for line in lines:
        text = _BULLET.sub("- ", line.text)
        level = levels.get(_looks(line), 0) if _may_head(line) else 0
        if previous and level and level == above and _same_heading(previous, line, right_edge):
            space, words = " ", text
            headings[-1] += f" {text}"
        else:
            space = _space(previous, line, right_edge) if previous and not (level or above) else "\n\n"
            words = heading(level, text) if level else text
            headings += [text] if level else []
        turned = previous is None or previous.page != line.page
        parts += [space if previous else "", PAGE_BREAK if turned else "", words]
        previous, above = line, level
    return "".join(parts) + "\n", "".join(headings[:1])


def _space(previous: Line, line: Line, right_edge: float) -> str:
    """Return what stands between two lines that are no headings."""
    if line.is_table or previous.is_table:
        return "\n\n"
    if previous.broken_word and line.text[:1].islower():
        return ""
    if _follows(previous, line, right_edge):
        return " "
    return "\n" if _near(previous, line) else "\n\n"


def _looks(line: Line) -> tuple[float, bool]:
    return line.size, line.bold


def _may_head(line: Line) -> bool:
    text = line.text
    return (
        not line.is_table
        and 2 < len(text) <= 120
        and sum(map(str.isalpha, text)) >= 3
        and not text.endswith((".", ",", ";", ":"))
    )


def _heading_levels(lines: Sequence[Line]) -> dict[tuple[float, bool], int]:
    """Return the level of each look (size, weight) that is larger than the body's, or as large and bold.

    A look that covers a good part of the text is no heading, however large.
    """
    weight: Counter[tuple[float, bool]] = Counter()
    for line in lines:
        if not line.is_table:
            weight[_looks(line)] += len(line.text)
    total = sum(weight.values())
    if not total:
        return {}
    body = max(weight, key=lambda look: (weight[look], look))
    larger = [look for look in weight if look[0] >= body[0] * 1.12 and weight[look] < 0.25 * total]
    bolder = [look for look in weight if look[1] and not body[1] and body[0] * 0.95 <= look[0] < body[0] * 1.12]
    ranked = sorted(larger, key=lambda look: (-look[0], not look[1]))
    ranked += sorted((look for look in bolder if weight[look] < 0.2 * total), key=lambda look: -look[0])
    return {look: min(rank, 4) for rank, look in enumerate(ranked, start=1)}


def _usual_right_edge(lines: Sequence[Line]) -> float:
    edges = sorted(line.right for line in lines if len(line.text) > 40)
    return edges[int(len(edges) * 0.8)] if edges else 0.0


def _same_heading(previous: Line, line: Line, right_edge: float) -> bool:
    """Say whether a heading goes on in a second line: alike, close, after a line that is nearly full, not numbered."""
    if _looks(previous) != _looks(line) or not _near(previous, line) or _NUMBERED.match(line.text):
        return False
    return previous.right - previous.left > 0.5 * right_edge


def _near(previous: Line, line: Line) -> bool:
    gap = previous.bottom - line.top
    return previous.page == line.page and -line.size < gap < 0.7 * line.size


def _follows(previous: Line, line: Line, right_edge: float) -> bool:
    """Say whether `line` goes on with the paragraph of `previous`: a full line before it, no item or gap between."""
    if _ITEM.match(line.text) or _looks(previous)[0] != _looks(line)[0]:
        return False
    if previous.right < right_edge * 0.82 and not line.text[:1].islower():
        return False
    if previous.page != line.page:
        return line.text[:1].islower() and not previous.text.endswith((".", "!", "?", ":"))
    return _near(previous, line)
