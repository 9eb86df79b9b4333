"""The Markdown that the parsers write, and what a parser hands back."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document as Markdown, with the title that it gives itself ('' when it gives none)."""

    text: str
    title: str


class Refused(ValueError):
    """The document cannot be read; the message is the rest of a sentence that starts with the file's name."""


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


def joined(blocks: Sequence[tuple[str, bool]]) -> str:
    """Join blocks by blank lines; a block marked True follows the one before it on the next line, as list items do."""
    parts: list[str] = []
    for text, tight in blocks:
        if not text.strip():
            continue
        if parts:
            parts.append("\n" if tight else "\n\n")
        parts.append(text)
    return re.sub(r"\n{3,}", "\n\n", "".join(parts)).strip("\n") + "\n"
