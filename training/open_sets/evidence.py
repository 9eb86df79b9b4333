"""From texts and the places that answer in them to passages as the application shows them, and to quotes.

A text is cut into chunks and each chunk to a window, as in retrieval. The chunks that hold the evidence are shown
among others that speak of the same, in an order drawn from a seed, so that equal input gives equal passages.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from reasoning_core.prompt import Passage
from reasoning_core.words import sentence_spans
from retrieval.chunking import chunk
from retrieval.sentences import units
from retrieval.windows import window
from retrieval.words import stems

# As the application shows them: mostly three windows of 240 characters; a larger core is given more.
_WINDOW_CHARACTERS = (240, 240, 300, 400, 550, 700)
_NUM_PASSAGES = (2, 3, 3, 4)
_LONGEST_QUOTE = 160  # of `reasoning_core.guide`
_SHORTEST_QUOTE = 16


@dataclass(frozen=True, slots=True)
class Text:
    """A text with the title that is shown over it; `divided` texts were cut already and are shown as they are."""

    title: str
    text: str
    divided: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Characters `start` to `end` of text number `text`."""

    text: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Shown:
    """Passages in the order in which they are numbered, and a quote, with its number, for each place asked for."""

    passages: tuple[Passage, ...]
    quotes: tuple[tuple[str, int], ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The quotes as lines of working."""
        return tuple(dict.fromkeys(f'"{words}" [{n}]' for words, n in self.quotes))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The passages quoted."""
        return tuple(dict.fromkeys(n for _, n in self.quotes))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A chunk of text number `text` that starts at its character `start`."""

    text: int
    start: int
    heading: str
    body: str
    divided: bool

    def holds(self, place: Place) -> bool:
        inside = self.start <= place.start and place.end <= self.start + len(self.body)
        return self.text == place.text and inside


def show(
    question: str, texts: Sequence[Text], places: Sequence[Place], seed: str, *, num_passages: int = 0
) -> Shown | None:
    """Return the places' windows among others; None where a place is divided between chunks or cannot be quoted.

    `num_passages` is at least what is shown, if there are so many; 0 leaves it to the seed.
    """
    rng = random.Random(seed)
    max_chars, num_passages = rng.choice(_WINDOW_CHARACTERS), num_passages or rng.choice(_NUM_PASSAGES)
    pieces = [piece for number, text in enumerate(texts) for piece in _pieces(number, text)]
    holders = [next((piece for piece in pieces if piece.holds(place)), None) for place in places]
    chosen = {piece: _window(question, piece, places, max_chars) for piece in holders if piece is not None}
    if len([piece for piece in holders if piece is not None]) < len(places):
        return None
    asked = set(stems(question))
    others = sorted((p for p in pieces if p not in chosen), key=lambda p: -len(asked.intersection(stems(p.body))))
    for piece in others[: max(0, num_passages - len(chosen))]:
        span = window(question, piece.body, max_chars) if not piece.divided else (0, len(piece.body))
        if piece.body[slice(*span)].strip():
            chosen[piece] = span
    order = list(chosen)
    rng.shuffle(order)
    passages = tuple(Passage(piece.heading, piece.body[slice(*chosen[piece])]) for piece in order)
    quotes = [_quoted(place, piece, order, chosen) for place, piece in zip(places, holders, strict=True) if piece]
    found = tuple(each for each in quotes if each is not None)
    return Shown(passages, found) if len(found) == len(places) else None


def quote(text: str, start: int, end: int) -> str | None:
    """Return words to quote around characters `start` to `end`: whole words of their sentence, neither short nor long.

    What is too long loses its end. None where a quotation mark or a line end stands among the words themselves.
    """
    spans = [span for span in sentence_spans(text) if span[0] < end and start < span[1]] or [(start, end)]
    line_start = max(text.rfind("\n", 0, start) + 1, text.rfind('"', 0, start) + 1, min(start, spans[0][0]))
    marks = (position for mark in ("\n", '"') if (position := text.find(mark, start)) >= 0)
    line_end = min(max(end, spans[-1][1]), *marks, len(text))
    if line_end < end:
        return None
    while start > line_start and not text[start - 1].isspace():
        start -= 1
    while end < line_end and not text[end].isspace():
        end += 1
    while end - start < _SHORTEST_QUOTE and (start > line_start or end < line_end):
        start = text.rfind(" ", line_start, max(start - 1, line_start)) + 1 if start > line_start else start
        start = max(start, line_start)
        following = text.find(" ", end + 1, line_end) if end < line_end else end
        end = line_end if following < 0 else following
    if end - start > _LONGEST_QUOTE:
        end = text.rfind(" ", start + 1, start + _LONGEST_QUOTE + 1)
    words = text[start:end].strip() if end > start else ""
    return words or None


def _pieces(number: int, text: Text) -> list[_Piece]:
    if text.divided:
        return [_Piece(number, 0, text.title, text.text, True)]
    pieces, start = [], 0
    for part in chunk(text.text, text.title):
        heading = " > ".join((text.title, *part.headings[-1:]))
        pieces.append(_Piece(number, start, heading, part.text, False))
        start += len(part.text)
    return pieces


def _window(question: str, piece: _Piece, places: Sequence[Place], max_chars: int) -> tuple[int, int]:
    """Return the window of a chunk: the one that the application would show, if it holds every place in the chunk."""
    held = [place for place in places if piece.holds(place)]
    first = min(place.start for place in held) - piece.start
    last = max(place.end for place in held) - piece.start
    if piece.divided:
        return 0, len(piece.body)
    start, end = window(question, piece.body, max_chars)
    return (start, end) if start <= first and last <= end else _around(piece.body, first, last, max_chars)


def _around(text: str, first: int, last: int, max_chars: int) -> tuple[int, int]:
    """Return whole sentences around characters `first` to `last`, as many as fit."""
    found = units(text)
    inside = [i for i, unit in enumerate(found) if unit.start < last and first < unit.end]
    low, high = (inside[0], inside[-1]) if inside else (0, len(found) - 1)
    while True:
        before = low > 0 and found[high].end - found[low - 1].start <= max_chars
        after = high + 1 < len(found) and found[high + 1].end - found[low].start <= max_chars
        if not before and not after:
            start, end = found[low].start, found[high].end
            return (start, end) if end - start <= max_chars else _cut(text, start, end, first, last, max_chars)
        low, high = (low - 1, high) if before and (not after or (high - low) % 2) else (low, high + 1)


def _cut(text: str, start: int, end: int, first: int, last: int, max_chars: int) -> tuple[int, int]:
    """Return the words around characters `first` to `last` of one long sentence."""
    spare = max(0, max_chars - (last - first)) // 2
    if first - spare > start:
        start = text.find(" ", first - spare - 1, first) + 1 or first
    if last + spare < end:
        space = text.rfind(" ", last, last + spare + 1)
        end = space if space >= 0 else last
    return start, end


def _quoted(
    place: Place, piece: _Piece, order: Sequence[_Piece], chosen: dict[_Piece, tuple[int, int]]
) -> tuple[str, int] | None:
    start, end = chosen[piece]
    words = quote(piece.body[start:end], place.start - piece.start - start, place.end - piece.start - start)
    return (words, order.index(piece) + 1) if words else None
