"""DOCX to Markdown, in document order: headings by outline level, numbered and bulleted lists, tables."""

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from docx import Document
from docx.exceptions import PythonDocxError
from docx.opc.exceptions import OpcError
from docx.oxml.exceptions import XmlchemyError
from docx.oxml.ns import qn

from retrieval.archive import DAMAGE, as_plain_document
from retrieval.markup import Block, Parsed, Refused, heading, joined, list_item, one_line, table

_BREAKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
_EQUATION_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_SKIPPED = {qn("w:del"), qn("w:moveFrom"), qn("w:instrText"), qn("w:rPr"), qn("w:pPr"), _FALLBACK}
_WRAPPERS = {qn("w:sdt"), qn("w:sdtContent"), qn("w:customXml"), qn("w:ins"), qn("w:moveTo"), qn("w:smartTag")}


def read_docx(data: bytes) -> Parsed:
    """Read a Word document; tracked deletions, headers, footers and comments are left out.

    Raises:
        Refused: it is not a Word document, or a damaged one.
    """
    try:
        return _Reading(Document(io.BytesIO(as_plain_document(data)))).parsed()
    except (*DAMAGE, PythonDocxError, XmlchemyError, OpcError) as error:
        raise Refused("is a damaged Word document; open it in Word, save it again and try again") from error


class _Reading:
    """One pass over the body of a document, counting its numbered lists."""

    def __init__(self, document: Any) -> None:
        self._body = document.element.body
        self._title = one_line(document.core_properties.title or "")
        self._styles = {style.get(qn("w:styleId")): style for style in document.styles.element.iter(qn("w:style"))}
        self._formats = _list_formats(document)
        self._counts: dict[tuple[str, int], int] = defaultdict(int)
        self._first_heading = ""

    def parsed(self) -> Parsed:
        blocks = list(self._blocks(self._body))  # which finds the first heading
        return joined(blocks, self._first_heading or self._title)

    def _blocks(self, container: Any) -> Iterator[Block]:
        in_list = False
        for element in _body_elements(container):
            if element.tag == qn("w:tbl"):
                yield Block(table(self._rows(element)))
                in_list = False
                continue
            words = _text(element).strip()
            if not words:
                continue
            item = self._list_item(element, words)
            yield Block(item or self._paragraph(element, words), bool(item) and in_list)
            in_list = bool(item)

    def _paragraph(self, paragraph: Any, words: str) -> str:
        level = self._heading_level(paragraph)
        if not level:
            return words
        self._first_heading = self._first_heading or one_line(words)
        return heading(level, words)

    def _heading_level(self, paragraph: Any) -> int:
        """Return 1 to 9, or 0 for body text: the outline level of the paragraph, its style, or the style's parent."""
        for properties in self._properties(paragraph):
            outline = properties.find(qn("w:outlineLvl")) if properties is not None else None
            if outline is not None:
                value = int(outline.get(qn("w:val")))
                return value + 1 if value < 9 else 0
        name = self._style_name(paragraph)
        if match := re.fullmatch(r"heading (\d)", name):
            return int(match[1])
        return 1 if name == "title" else 0

    def _properties(self, paragraph: Any) -> Iterator[Any]:
        """Yield the paragraph's own properties, then those of its style and of the styles it is based on."""
        own = paragraph.find(qn("w:pPr"))
        yield own
        reference = own.find(qn("w:pStyle")) if own is not None else None
        seen: set[str] = set()
        while reference is not None and (style_id := reference.get(qn("w:val"))) not in seen:
            seen.add(style_id)
            style = self._styles.get(style_id)
            if style is None:
                return
            yield style.find(qn("w:pPr"))
            reference = style.find(qn("w:basedOn"))

    def _style_name(self, paragraph: Any) -> str:
        properties = paragraph.find(qn("w:pPr"))
        reference = properties.find(qn("w:pStyle")) if properties is not None else None
        style = self._styles.get(reference.get(qn("w:val"))) if reference is not None else None
        name = style.find(qn("w:name")) if style is not None else None
        return str(name.get(qn("w:val"))).lower() if name is not None else ""

    def _list_item(self, paragraph: Any, words: str) -> str:
        if self._heading_level(paragraph):
            return ""
        for properties in self._properties(paragraph):
            numbering = properties.find(qn("w:numPr")) if properties is not None else None
            if numbering is None:
                continue
            number_id = numbering.find(qn("w:numId"))
            level = numbering.find(qn("w:ilvl"))
            key = "" if number_id is None else str(number_id.get(qn("w:val")))
            if key == "0":
                return ""
            return self._numbered(key, 0 if level is None else int(level.get(qn("w:val"))), words)
        if re.match(r"list (bullet|number|paragraph)", self._style_name(paragraph)):
            return list_item(0, None, words)
        return ""

    def _numbered(self, number_id: str, depth: int, words: str) -> str:
        if self._formats.get((number_id, depth), "bullet") in ("bullet", "none"):
            return list_item(depth, None, words)
        self._counts[number_id, depth] += 1
        for key in [key for key in self._counts if key[0] == number_id and key[1] > depth]:
            del self._counts[key]
        return list_item(depth, self._counts[number_id, depth], words)

    def _rows(self, element: Any) -> list[list[str]]:
        rows: list[list[str]] = []
        for row in element.iterchildren(qn("w:tr")):
            cells: list[str] = []
            for cell in _cells(row):
                properties = cell.find(qn("w:tcPr"))
                merge = properties.find(qn("w:vMerge")) if properties is not None else None
                span = properties.find(qn("w:gridSpan")) if properties is not None else None
                continued = merge is not None and merge.get(qn("w:val")) != "restart"
                above = rows[-1][len(cells)] if continued and rows and len(cells) < len(rows[-1]) else ""
                text = above or " ".join(_text(paragraph) for paragraph in cell.iter(qn("w:p")))
                width = min(int(span.get(qn("w:val"))), 100) if span is not None else 1
                cells += [text, *[""] * (width - 1)]
            rows.append(cells)
        return rows


def _body_elements(container: Any) -> Iterator[Any]:
    """Yield paragraphs and tables in order, also those inside content controls and tracked insertions."""
    for child in container.iterchildren():
        if child.tag in (qn("w:p"), qn("w:tbl")):
            yield child
        elif child.tag in _WRAPPERS:
            yield from _body_elements(child)


def _cells(row: Any) -> Iterator[Any]:
    for child in row.iterchildren():
        if child.tag == qn("w:tc"):
            yield child
        elif child.tag in _WRAPPERS:
            yield from _cells(child)


def _text(element: Any) -> str:
    """Return an element's text as a reader sees it, with tracked insertions and without tracked deletions."""
    parts: list[str] = []
    pending = [element]
    while pending:
        node = pending.pop()
        if node.tag in (qn("w:t"), _EQUATION_TEXT):
            parts.append(node.text or "")
        elif node.tag in _BREAKS:
            parts.append(_BREAKS[node.tag])
        elif node.tag not in _SKIPPED:
            pending.extend(reversed(node))
    return "".join(parts)


def _list_formats(document: Any) -> dict[tuple[str, int], str]:
    """Return 'bullet', 'decimal', ... by list number and depth."""
    try:
        root = document.part.numbering_part.element
    except (KeyError, NotImplementedError):
        return {}
    abstract: dict[str, dict[int, str]] = {}
    for definition in root.iter(qn("w:abstractNum")):
        levels = ((level, level.find(qn("w:numFmt"))) for level in definition.iter(qn("w:lvl")))
        abstract[definition.get(qn("w:abstractNumId"))] = {
            int(level.get(qn("w:ilvl"))): kind.get(qn("w:val")) for level, kind in levels if kind is not None
        }
    formats: dict[tuple[str, int], str] = {}
    for number in root.iter(qn("w:num")):
        reference = number.find(qn("w:abstractNumId"))
        levels_of = abstract.get(reference.get(qn("w:val")), {}) if reference is not None else {}
        formats |= {(number.get(qn("w:numId")), level): kind for level, kind in levels_of.items()}
    return formats
