"""Which lines of a PDF are headings: those that look larger than the body, or as large and bold."""

from collections import Counter
from collections.abc import Sequence

from retrieval.pdf_page import Line

_LARGER = 1.12  # of the body's size
_AS_LARGE = 0.85
_MANY = 20  # heading lines
_LONGEST = 160  # characters
_MOST = 0.25  # of the text: a look that covers more is no heading, however large

Look = tuple[float, bool]


class Headings:
    """The looks of one document's headings, the largest of level 1.

    A look that occurs once among many (a cover, a quotation in large print) has the level of the next smaller one.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        weight: Counter[Look] = Counter()
        count: Counter[Look] = Counter()
        for line in lines:
            if not line.is_table:
                weight[look(line)] += len(line.text)
                count[look(line)] += 1
        self._body = max(weight, key=lambda known: (weight[known], known), default=(0.0, False))
        few = [known for known in weight if weight[known] < _MOST * weight.total()]
        larger = sorted((known for known in few if self._is_larger(known)), key=lambda known: (-known[0], not known[1]))
        bolder = sorted((known for known in few if self._is_bolder(known)), key=lambda known: -known[0])
        self.levels = _levels([*larger, *bolder], count)

    def level(self, line: Line) -> int:
        """Return 1 for the largest headings and more for those below them, 0 for any other line."""
        text = line.text
        if line.is_table or not 2 < len(text) <= _LONGEST or sum(map(str.isalpha, text)) < 3:
            return 0
        closed = (",", ";") if self._is_larger(look(line)) and len(text) < 80 else (",", ";", ".", ":")
        return 0 if text.endswith(closed) else self.levels.get(look(line), 0)

    def _is_larger(self, known: Look) -> bool:
        return known[0] >= self._body[0] * _LARGER

    def _is_bolder(self, known: Look) -> bool:
        return known[1] and not self._body[1] and self._body[0] * _AS_LARGE <= known[0] < self._body[0] * _LARGER


def _levels(ranked: Sequence[Look], count: Counter[Look]) -> dict[Look, int]:
    many = sum(count[known] for known in ranked) > _MANY
    levels: dict[Look, int] = {}
    level = 1
    for rank, known in enumerate(ranked):
        levels[known] = min(level, 6)
        if rank == 0 or count[known] > 1 or not many:
            level += 1
    return levels


def look(line: Line) -> Look:
    return line.size, line.bold
