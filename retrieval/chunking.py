"""Cuts a document's canonical text into chunks along its structure.

Chunks tile the text: the first starts at byte 0, each starts where the one before ends, the last ends at the last
byte. Offsets count bytes of the text in UTF-8. A sentence, list item or table row is cut only when it is longer than
a chunk may be, and a heading begins a chunk. A chunk that begins inside a table has the names of the columns behind
the last of its headings, since the row that names them is in another chunk.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from retrieval.sentences import Unit, UnitKind, table_headers, units

MAX_CHARS = 900
_MAX_COLUMN_CHARS = 160

_HEADING_MARKS = re.compile(r"^#{1,6}\s+|\s+#+\s*$|\n.*$|\{[#:.][^}]*\}\s*$|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}")
_CELL_END = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes `start` to `end` of the text, under the headings that lead there from the outermost."""

    start: int
    end: int
    headings: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """Characters `start` to `end` of the text, which go into one chunk; with the space that follows them."""

    start: int
    end: int
    kind: UnitKind
    headings: tuple[str, ...]
    columns: str  # the names over a table's row


def chunk(text: str, title: str) -> list[Chunk]:
    """Return the chunks of `text`; a first heading that only repeats `title` is left out of the headings."""
    pieces = [part for piece in _pieces(text, title) for part in _cut(text, piece)]
    chunks: list[Chunk] = []
    byte = 0
    for group in _grouped(pieces):
        part = text[group[0].start : group[-1].end]
        size = len(part.encode())
        chunks.append(Chunk(byte, byte + size, _with_columns(group[-1].headings, group[0].columns), part))
        byte += size
    return chunks


def indexed_text(title: str, chunk: Chunk) -> str:
    """Return what both indexes see of a chunk: the way to it on the first line, then its text."""
    return f"{' > '.join((title, *chunk.headings))}\n{chunk.text.strip()}"


def column_names(row: str) -> str:
    """Return the cells of a table's header as they stand behind a heading."""
    cells = (" ".join(cell.split()) for cell in _CELL_END.split(row.strip().strip("|")))
    return " | ".join(cells)[:_MAX_COLUMN_CHARS].strip()


def _with_columns(headings: tuple[str, ...], columns: str) -> tuple[str, ...]:
    if not columns:
        return headings
    return (*headings[:-1], f"{headings[-1]}: {columns}") if headings else (columns,)


def _pieces(text: str, title: str) -> Iterator[_Piece]:
    """Yield one piece for each unit, each reaching to where the next unit starts, so that the pieces tile the text."""
    found = units(text)
    if not found:
        if text:
            yield _Piece(0, len(text), UnitKind.SENTENCE, (), "")
        return
    path: list[tuple[int, str]] = []
    starts = [0, *(_line_start(text, unit.start) for unit in found[1:])]
    ends = [*starts[1:], len(text)]
    headers = table_headers(text, found)
    for unit, start, end, header in zip(found, starts, ends, headers, strict=True):
        if unit.kind is UnitKind.HEADING:
            path = [step for step in path if step[0] < unit.depth] + [(unit.depth, _heading(text, unit))]
        words = tuple(step[1] for step in path if step[1])
        columns = column_names(text[header.start : header.end]) if header else ""
        yield _Piece(start, end, unit.kind, words[1:] if words[:1] == (title,) else words, columns)


def _line_start(text: str, position: int) -> int:
    """Return where the indentation before `position` starts, so that a list item keeps it."""
    start = position
    while start > 0 and text[start - 1] in " \t" and position - start < 80:
        start -= 1
    return start if start == 0 or text[start - 1] == "\n" else position


def _heading(text: str, unit: Unit) -> str:
    words = _LINK.sub(r"\1", text[unit.start : unit.end])
    return " ".join(_HEADING_MARKS.sub("", words).split())[:120]


def _cut(text: str, piece: _Piece) -> Iterator[_Piece]:
    """Cut a piece longer than a chunk into parts, after white space where there is some near the limit."""
    start = piece.start
    while piece.end - start > MAX_CHARS:
        limit = start + MAX_CHARS
        space = max(text.rfind(" ", start + MAX_CHARS // 2, limit), text.rfind("\n", start + MAX_CHARS // 2, limit))
        end = space + 1 if space >= 0 else limit
        yield replace(piece, start=start, end=end)
        start = end
    yield replace(piece, start=start)


def _grouped(pieces: Sequence[_Piece]) -> Iterator[Sequence[_Piece]]:
    """Yield the pieces of each chunk: sections one by one, long sections in parts of about equal length."""
    for section in _sections(pieces):
        length = section[-1].end - section[0].start
        target = length / math.ceil(length / MAX_CHARS)
        first = 0
        for index, piece in enumerate(section):
            size = piece.end - section[first].start
            filled = piece.start - section[first].start
            overshoots = filled > 0 and size - target > target - filled and not _belongs(section, first, index)
            if size > MAX_CHARS or overshoots:
                yield section[first:index]
                first = index
        yield section[first:]


def _sections(pieces: Sequence[_Piece]) -> Iterator[Sequence[_Piece]]:
    """Yield runs of pieces that start at a heading; a heading with nothing under it stays with what follows."""
    first = 0
    for index in range(1, len(pieces)):
        if pieces[index].kind is not UnitKind.HEADING:
            continue
        only_headings = all(piece.kind is UnitKind.HEADING for piece in pieces[first:index])
        deeper = len(pieces[index].headings) >= len(pieces[index - 1].headings)
        if not (only_headings and deeper):
            yield pieces[first:index]
            first = index
    if pieces:
        yield pieces[first:]


def _belongs(section: Sequence[_Piece], first: int, index: int) -> bool:
    """Say whether a piece should not be parted from the one before: a heading's first words, a table's first rows."""
    if section[index - 1].kind is UnitKind.HEADING:
        return True
    rows = 0
    while index - rows > first and section[index - rows - 1].kind is UnitKind.TABLE_ROW:
        rows += 1
    return section[index].kind is UnitKind.TABLE_ROW and 0 < rows < 3
