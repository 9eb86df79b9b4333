"""How the lines of a PDF flow into paragraphs and lists: what stands between one line and the next."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from retrieval.pdf_headings import Look, look
from retrieval.pdf_page import Line

_ITEM = re.compile(
    r"(?:- |[•‣◦▪●○■\uf0b7\uf0a7–]|\d{1,2}(?:\.\d{1,2})+\.?\s|\(?(?:\d{1,3}|[A-Za-z]|[ivxlc]{1,5})[.)]\s)"
)
_NUMBERED = re.compile(r"(?:(?:section|article|chapter|part|annex|appendix)\s+)?\d{1,2}(?:\.\d{1,2})*\.?\s+[A-Z]", re.I)
_COLUMN = 120  # points: lines whose left edges differ by less stand in one column
_WRAPS = 0.98  # of the right edge: a line that would have reached as far with the next word ended for want of room
_INDENT = 0.8  # in sizes of the font, as all that follow
_NEAR = 0.7
_NEAR_ITEM = 1.5
_LOOSER = 0.3  # than usual: then a paragraph ends


@dataclass(frozen=True, slots=True)
class Flow:
    """The habits of one document: where its lines end by column, how far their tops are apart by size of the font."""

    right_edges: dict[int, float]
    pitches: dict[float, float]

    def space(self, previous: Line, line: Line, *, in_list: bool) -> str:
        """Return what stands between two lines that are no headings; `in_list` says that `previous` is of an item."""
        if line.is_table or previous.is_table:
            return "\n\n"
        if previous.broken_word and line.text[:1].islower():
            return ""
        if starts_item(line):
            return "\n" if in_list and (previous.page != line.page or _gap(previous, line) < _NEAR_ITEM) else "\n\n"
        if self._goes_on(previous, line, in_list=in_list):
            return " "
        return "\n" if self._is_tight(previous, line) else "\n\n"

    def merged_headings(self, lines: Sequence[Line], looks: Collection[Look]) -> list[Line]:
        """Return the lines with those that go on with a heading joined to it."""
        merged: list[Line] = []
        for line in lines:
            last = merged[-1] if merged else None
            if last and not line.is_table and look(last) == look(line) in looks and self._goes_on_heading(last, line):
                merged[-1] = replace(line, text=f"{last.text} {line.text}", top=last.top, page=last.page)
            else:
                merged.append(line)
        return merged

    def _goes_on_heading(self, previous: Line, line: Line) -> bool:
        if previous.page != line.page or not -1 < _gap(previous, line) < _NEAR or _NUMBERED.match(line.text):
            return False
        if line.text[:1].islower() or self._is_full(previous, line):
            return True
        return previous.right - previous.left > 0.5 * self._right_edge(previous)

    def _goes_on(self, previous: Line, line: Line, *, in_list: bool) -> bool:
        if previous.size != line.size:
            return False
        lower = line.text[:1].islower()
        full = self._is_full(previous, line)
        if previous.page != line.page:
            return (lower or full) and not previous.text.endswith((".", "!", "?", ":"))
        indented = line.left - previous.left > _INDENT * line.size and not in_list
        return self._is_tight(previous, line) and (lower or (full and not indented))

    def _is_full(self, previous: Line, line: Line) -> bool:
        """Say whether the first word of `line` would not have fitted behind `previous`."""
        word = line.text.partition(" ")[0]
        width = (line.right - line.left) * (len(word) + 1) / max(len(line.text), 1)
        return previous.right + width >= self._right_edge(previous) * _WRAPS

    def _right_edge(self, line: Line) -> float:
        return self.right_edges.get(_column(line), max(self.right_edges.values(), default=0.0))

    def _is_tight(self, previous: Line, line: Line) -> bool:
        if previous.page != line.page or not -1 < _gap(previous, line) < _NEAR:
            return False
        usual = self.pitches.get(line.size)
        return usual is None or previous.top - line.top <= usual + _LOOSER * line.size


def starts_item(line: Line) -> bool:
    return _ITEM.match(line.text) is not None


def flow_of(lines: Sequence[Line]) -> Flow:
    """Return the habits of a document's lines."""
    columns: dict[int, list[float]] = {}
    for line in lines:
        if len(line.text) > 25:
            columns.setdefault(_column(line), []).append(line.right)
    edges = {column: sorted(rights)[int(len(rights) * 0.95)] for column, rights in columns.items()}
    return Flow(edges, _usual_pitches(lines))


def _column(line: Line) -> int:
    return int(line.left // _COLUMN)


def _usual_pitches(lines: Sequence[Line]) -> dict[float, float]:
    """Return the commonest distance by size, told by lines that go on in lower case."""
    counts: dict[float, Counter[float]] = {}
    for previous, line in pairwise(lines):
        alike = previous.page == line.page and previous.size == line.size and not line.is_table
        if alike and line.text[:1].islower() and -1 < _gap(previous, line) < _NEAR:
            counts.setdefault(line.size, Counter())[round(2 * (previous.top - line.top)) / 2] += 1
    return {size: counter.most_common(1)[0][0] for size, counter in counts.items()}


def _gap(previous: Line, line: Line) -> float:
    """Return the empty height between two lines, in sizes of the second's font."""
    return (previous.bottom - line.top) / max(line.size, 1)
