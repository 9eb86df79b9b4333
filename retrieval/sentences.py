"""Where sentences, list items, table rows and headings begin and end in a text."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_HEADING = re.compile(r" {0,3}(#{1,6})\s+\S")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)\s*$")
_LIST_ITEM = re.compile(r"\s*(?:[-*+•‣◦▪–]|\(?(?:\d{1,3}|[A-Za-z]|[ivxlc]{1,5})[.)])\s+\S")
_TABLE_ROW = re.compile(r"\s*\||[^|]* \| ")
_TABLE_RULE = re.compile(r"\|(?:\s*:?-+:?\s*\|)+[ \t]*(?:\n|$)")
_NUMBERED = re.compile(
    r"(?:(?:section|article|chapter|part|annex|appendix)\s+)?"
    r"(?P<number>\d{1,2}(?:\.\d{1,2})+|(?<=\s)(?:\d{1,2}|[A-Z]))[.:]?\s+[A-Z].{1,78}$",
    re.IGNORECASE,
)
_CAPITALS = re.compile(r"(?:\d{1,2}[.)]?\s+)?[A-Z0-9][A-Z0-9 &/,'’():-]{3,79}$")
_COLUMN_GAP = re.compile(r"(?<=\S) {3,}(?=\S)")  # as between the columns of a table in plain text

_SENTENCE_END = re.compile(r"[.!?]+[\"'”’)\]*_]*(?=\s)|[。！？]+[」』）”]*")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:e\.g|i\.e|etc|vs|cf|approx|incl|nos?|art|sec|ch|fig|mr|mrs|ms|dr|prof|sr|jr|st|inc|ltd|co|corp|"
    r"dept|est|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|[a-z]|(?:[a-z]\.)+[a-z])\.$",
    re.IGNORECASE,
)

SHORTEST = 6  # characters; what is shorter is an item's number or stray punctuation, and joins the sentence after it


class UnitKind(StrEnum):
    """What a unit is: a sentence of running text or of a list item, or a line that stands for itself."""

    SENTENCE = "sentence"
    HEADING = "heading"
    LIST_ITEM = "list item"
    TABLE_ROW = "table row"
    CODE = "code"


class Unit(NamedTuple):
    """The characters from `start` to `end`, without the space around them; `depth` is a heading's, from 1."""

    start: int
    end: int
    kind: UnitKind
    depth: int = 0


class _Line(NamedTuple):
    start: int
    text: str


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the character spans of all units of `text` in order, without the space between them."""
    return [(unit.start, unit.end) for unit in units(text)]


def units(text: str) -> list[Unit]:
    """Return sentences, headings, list items, table rows and lines of code in order; time grows with length alone."""
    found: list[Unit] = []
    running: list[_Line] = []  # lines of one paragraph or list item, not yet split into sentences
    fenced = False
    lines = [_Line(-1, ""), *_lines(text), _Line(-1, "")]
    for before, line, following in zip(lines, lines[1:], lines[2:], strict=False):
        fence = _FENCE.match(line.text) is not None
        alone = _alone(line, before.text, following.text, code=fenced or fence)
        fenced ^= fence
        if alone is None and line.text.strip() and not _LIST_ITEM.match(line.text):
            running.append(line)
            continue
        found += _sentences_of(text, running)
        running.clear()
        if alone is not None:
            found.append(alone)
        elif line.text.strip():
            running.append(line)
    return _with_underlines(text, found + _sentences_of(text, running))


def table_headers(text: str, found: Sequence[Unit]) -> list[Unit | None]:
    """Return for each unit the row that names its columns: the first of its table, where a rule stands under it.

    None for the header itself, for rows of a table without one, and for what is no row.
    """
    headers: list[Unit | None] = []
    top: int | None = None  # the first row of the table that the unit before belongs to
    for number, unit in enumerate(found):
        goes_on = top is not None and text.count("\n", found[number - 1].end, unit.start) == 1
        if unit.kind is not UnitKind.TABLE_ROW:
            top = None
        elif not goes_on:
            top = number
        ruled = top is not None and top + 1 < len(found) and _TABLE_RULE.match(text, found[top + 1].start)
        headers.append(found[top] if ruled and top is not None and top != number else None)
    return headers


def _lines(text: str) -> list[_Line]:
    lines: list[_Line] = []
    start = 0
    for line in text.split("\n"):
        lines.append(_Line(start, line))
        start += len(line) + 1
    return lines


def _alone(line: _Line, before: str, following: str, code: bool) -> Unit | None:
    """Return the unit of a line that is a unit by itself, None for running text and blank lines."""
    if not line.text.strip():
        return None
    lead = len(line.text) - len(line.text.lstrip())
    start, end = line.start + lead, line.start + len(line.text.rstrip())
    if code:
        return Unit(start, end, UnitKind.CODE)
    if depth := _heading_depth(line.text, before, following):
        return Unit(start, end, UnitKind.HEADING, depth)
    in_columns = _COLUMN_GAP.search(line.text) and not _LIST_ITEM.match(line.text)
    return Unit(start, end, UnitKind.TABLE_ROW) if in_columns or _TABLE_ROW.match(line.text) else None


def _heading_depth(line: str, before: str, following: str) -> int:
    """Return 1 for a main heading and more for those below it, 0 for any other line."""
    if match := _HEADING.match(line):
        return len(match[1])
    if len(line) > 120 or before.strip() or _UNDERLINE.match(line):
        return 0
    if _UNDERLINE.match(following):
        plain = not (_LIST_ITEM.match(line) or _TABLE_ROW.match(line))
        return (1 if "=" in following else 2) if plain else 0
    if following.strip() or line.rstrip().endswith((".", ",", ";")):
        return 0
    stripped = line.strip()
    if match := _NUMBERED.match(stripped):
        return 1 + match["number"].count(".")
    return 1 if _CAPITALS.match(stripped) and sum(map(str.isalpha, stripped)) > 3 else 0


def _with_underlines(text: str, found: list[Unit]) -> list[Unit]:
    """Return the units with the line of = or - under a heading counted as part of the heading."""
    joined: list[Unit] = []
    for unit in found:
        last = joined[-1] if joined else None
        if last and last.kind is UnitKind.HEADING and _UNDERLINE.match(text[unit.start : unit.end][:200]):
            joined[-1] = last._replace(end=unit.end)
        else:
            joined.append(unit)
    return joined


def _sentences_of(text: str, lines: list[_Line]) -> list[Unit]:
    if not lines:
        return []
    kind = UnitKind.LIST_ITEM if _LIST_ITEM.match(lines[0].text) else UnitKind.SENTENCE
    first = lines[0].start
    if kind is UnitKind.LIST_ITEM:
        first_words = len(lines[0].text) - len(lines[0].text.lstrip())
        first += first_words
    end = lines[-1].start + len(lines[-1].text)
    spans: list[tuple[int, int]] = []
    for match in _SENTENCE_END.finditer(text, first, end):
        if match.end() - first >= SHORTEST and _ends_sentence(text, match, first, end):
            spans.append((first, match.end()))
            first = match.end()
    spans.append((first, end))
    return [Unit(*trimmed, kind) for span in spans if (trimmed := _trimmed(text, *span))]


def _ends_sentence(text: str, match: re.Match[str], first: int, end: int) -> bool:
    """Say whether a full stop ends the sentence from `first`: not so after an abbreviation or an item's own number."""
    if not match.group().isascii() or match.group()[0] in "!?":
        return True
    if text[match.end() : min(match.end() + 12, end)].lstrip()[:1].islower():
        return False
    return not _ABBREVIATION.search(text[max(first, match.start() - 12) : match.start() + 1])


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None
