"""Tables as a window cuts them: some of their rows, and the names of the columns in the heading."""

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from reasoning_core.prompt import Passage, table_heading
from reasoning_core.working import parse_quote
from training.instructions import Exchange

_TABLE = re.compile(r"(?P<header>^\|[^\n]*\|)\n\|[ :|-]+\|\n(?P<rows>(?:\|[^\n]*\|\n?)+)", re.M)
_ROW = re.compile(r"\|[^\n]*\|\n?")


def cut(exchanges: Sequence[Exchange], rng: random.Random, share: float) -> list[Exchange]:
    """Return the conversation with this share of its tables cut, where every quote still stands."""
    shown = [passage for exchange in exchanges for passage in exchange.passages]
    quotes = [quote for e in exchanges for line in e.working if (quote := parse_quote(line)) is not None]
    pieces = []
    for n, passage in enumerate(shown, start=1):
        piece = _cut(passage, rng) if rng.random() < share else passage
        whole = all(quote.words in piece.text for quote in quotes if quote.n == n)
        pieces.append(piece if whole else passage)
    numbered = iter(pieces)
    return [replace(exchange, passages=tuple(next(numbered) for _ in exchange.passages)) for exchange in exchanges]


def _cut(passage: Passage, rng: random.Random) -> Passage:
    """Return a run of rows of the passage's table, with what stands behind it if the last row does."""
    match = _TABLE.search(passage.text)
    if match is None:
        return passage
    rows = _ROW.findall(match["rows"])
    first = rng.randint(0, len(rows) - 1)
    last = rng.randint(first, len(rows) - 1)
    behind = passage.text[match.end() :] if last == len(rows) - 1 else ""
    return Passage(table_heading(passage.heading, match["header"]), ("".join(rows[first : last + 1]) + behind).strip())
