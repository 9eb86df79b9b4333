"""Where the pages, slides and sheets of a document start in its stored text."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from retrieval.decoding import canonical
from retrieval.markup import PAGE_BREAK, Parsed, one_line


class Place(NamedTuple):
    """From byte `start` of the text in UTF-8 on, up to the next place: "page 2", "slide 5", "sheet Limits"."""

    start: int
    name: str


def settled(parsed: Parsed) -> tuple[str, tuple[Place, ...]]:
    """Return the canonical text of a parsed document, without page breaks, and where its places start."""
    before, *pieces = parsed.text.split(PAGE_BREAK)
    if not parsed.places or len(pieces) != len(parsed.places):
        return canonical(parsed.text), ()
    parts: list[str] = []
    places: list[Place] = []
    size = 0
    for name, piece in zip(("", *parsed.places), (before, *pieces), strict=True):
        words = canonical(piece).strip("\n") if piece.strip() else ""
        if name:
            places.append(Place(size, one_line(canonical(name))))
        space = piece[len(piece.rstrip()) :] if words else ""
        parts += (words, space)
        size += len((words + space).encode())
    text = "".join(parts).strip("\n") + "\n"
    whole = canonical(text)
    return whole, tuple(places) if whole == text else ()


def place_at(places: Sequence[Place], start: int) -> str:
    """Return the name of the place that byte `start` lies in, '' before the first."""
    number = bisect_right(places, start, key=lambda place: place.start)
    return places[number - 1].name if number else ""
