"""PDF to Markdown: lines in reading order, joined to paragraphs, headings found by size, weight and numbering."""

import re
from collections.abc import Sequence

import pypdfium2
import pypdfium2.raw as pdfium

from retrieval.markup import PAGE_BREAK, Parsed, Refused, heading, one_line
from retrieval.pdf_flow import flow_of, starts_item
from retrieval.pdf_headings import Headings
from retrieval.pdf_page import Line, page_lines

MAX_PAGES = 3000

_BULLET = re.compile(r"^[•‣◦▪●○■\uf0b7\uf0a7–]\s*")
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
    """Drop lines in the margins that several pages (of a long document, a twelfth) have at the same height.

    Their numbers may differ; a twelfth, since many running heads name the chapter.
    """
    if num_pages < 3:
        return list(lines)
    pages: dict[tuple[str, int], set[int]] = {}
    for line in lines:
        pages.setdefault(_place(line), set()).add(line.page)
    often = max(3, num_pages // 12)
    return [line for line in lines if not (line.at_edge and len(pages[_place(line)]) >= often)]


def _place(line: Line) -> tuple[str, int]:
    return re.sub(r"\d+", "0", line.text), round(line.top / 4)


def _markdown(lines: Sequence[Line]) -> tuple[str, str]:
    """Return the text, with a page break where each page starts, and the first heading."""
    flow, headings = flow_of(lines), Headings(lines)
    parts: list[str] = []
    first_heading = ""
    previous, above, in_list = None, 0, False
    for line in flow.merged_headings(lines, headings.levels):
        text = _BULLET.sub("- ", line.text)
        level = headings.level(line)
        apart = previous is None or level or above
        space = "\n\n" if previous is None or apart else flow.space(previous, line, in_list=in_list)
        if previous and previous.broken_word and space:  # the hyphen belongs to the word: Smith-Jones
            space = "-" if space == " " else f"-{space}"
        turned = previous is None or previous.page != line.page
        parts += [
            space if previous else "",
            PAGE_BREAK if turned else "",
            heading(level, text) if level else text,
        ]
        first_heading = first_heading or (text if level else "")
        in_list = not level and (starts_item(line) or (in_list and space in (" ", "", "-")))
        previous, above = line, level
    return "".join(parts) + "\n", first_heading
