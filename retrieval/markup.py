"""The Markdown that the parsers write, and what a parser hands back."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

PAGE_BREAK = "\f"
"""Stands in a parser's text where a page, slide or sheet starts; the stored text has none."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document as Markdown, with the title that it gives itself ('' when it gives none).

    The text has one page break for each of `places`, the names of what starts there: "page 2", "slide 5".
    """

    text: str
    title: str
    places: tuple[str, ...] = ()


class Refused(ValueError):
    """The document cannot be read; the message is the rest of a sentence that starts with the file's name."""


class Block(NamedTuple):
    """A paragraph, heading, table or list item; a tight one follows the block before it on the next line."""

    text: str
    tight: bool = False
    places: tuple[str, ...] = ()  # as many as the text has page breaks


def at(place: str, text: str) -> Block:
    """Return a block with which a place starts."""
    return Block(PAGE_BREAK + text, places=(place,))


def heading(level: int, text: str) -> str:
    return f"{'#' * min(max(level, 1), 6)} {one_line(text)}"


def list_item(depth: int, number: int | None, text: str) -> str:
    """Return one item; `depth` counts from 0, `number` is None in a bulleted list."""
    return f"{'  ' * depth}{'-' if number is None else f'{number}.'} {one_line(text)}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with the first row as its header; empty rows and columns are left out."""
    filled = [[one_line(cell).replace("|", "\\|") for cell in row] for row in rows]
    filled = [row for row in filled if any(row)]
    width = max((len(row) for row in filled), default=0)
    padded = [row + [""] * (width - len(row)) for row in filled]
    columns = [column for column in range(width) if any(row[column] for row in padded)]
    if not columns:
        return ""
    lines = [f"| {' | '.join(row[column] for column in columns)} |" for row in padded]
    return "\n".join([lines[0], f"|{' --- |' * len(columns)}", *lines[1:]])


def one_line(text: str) -> str:
    return " ".join(text.split())


def joined(blocks: Iterable[Block], title: str) -> Parsed:
    """Return the document of the blocks, parted by blank lines where they are not tight."""
    parts: list[str] = []
    places: list[str] = []
    for block in blocks:
        text = block.text if block.places else block.text.replace(PAGE_BREAK, "\n")
        if not text.strip():
            continue
        if parts:
            parts.append("\n" if block.tight else "\n\n")
        parts.append(text)
        places += block.places
    return Parsed(re.sub(r"\n{3,}", "\n\n", "".join(parts)).strip("\n") + "\n", title, tuple(places))
