"""A document's text drawn as it is built: headings, paragraphs, list items and table rows, with cited bytes marked.

Whatever the text says is escaped; no mark-up in it is read but what tells these four apart.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ui.evidence import marked_html

_HEADING = re.compile(rb"(#{1,6})\s+\S")
_ITEM = re.compile(rb"\s*(?:[-*+]|\d{1,3}[.)])\s+\S")
_ROW = re.compile(rb"\s*\|")


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines that are drawn together: bytes `start` to `end`."""

    kind: str
    start: int
    end: int


def document_html(data: bytes, span: tuple[int, int]) -> str:
    """Draw UTF-8 text with the bytes of `span` marked; the first mark has the id `cited`."""
    drawn = "".join(_drawn(data, block, span) for block in _blocks(data))
    return drawn.replace("<mark>", '<mark id="cited">', 1)


def _drawn(data: bytes, block: _Block, span: tuple[int, int]) -> str:
    start = block.start
    heading = _HEADING.match(data, start) if block.kind == "heading" else None
    if heading:
        start = heading.end() - 1  # the signs that make it a heading are told by its size
    part = data[start : block.end].rstrip()
    inside = marked_html(part, [(span[0] - start, span[1] - start)])
    if heading:
        level = min(len(heading[1]) + 1, 6)
        return f"<h{level}>{inside}</h{level}>"
    if block.kind == "rows":
        return f'<pre class="rows">{inside}</pre>'
    return f'<p class="{block.kind}">{inside}</p>'


def _blocks(data: bytes) -> Iterator[_Block]:
    """Yield the blocks in order; together they hold every line that is not blank."""
    kind, start, position = "", 0, 0
    for line in data.splitlines(keepends=True):
        found = _kind(line)
        goes_on = found == kind and kind in ("paragraph", "rows")
        if kind and not goes_on:
            yield _Block(kind, start, position)
        if not goes_on:
            kind, start = found, position
        position += len(line)
    if kind:
        yield _Block(kind, start, position)


def _kind(line: bytes) -> str:
    if not line.strip():
        return ""
    if _HEADING.match(line):
        return "heading"
    if _ROW.match(line):
        return "rows"
    return "item" if _ITEM.match(line) else "paragraph"
