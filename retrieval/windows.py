"""The part of a chunk that matters to a question: whole sentences, items or rows, verbatim, for a small reader."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from retrieval.sentences import Unit, UnitKind, units
from retrieval.words import stems

_ASKS_AMOUNT = re.compile(
    r"\b(?:how (?:much|many|long|often|soon|far|big|large|old|late|early)|limit|maximum|minimum|cost|price|amount|rate|"
    r"budget|number|percent(?:age)?|allowance|days?|weeks?|months?|years?|hours?|deadline|when|what time)\b|[$€£%]|\d",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|half|daily|weekly|monthly|quarterly|"
    r"annual(?:ly)?|yearly|once|twice|no limit|unlimited)\b",
    re.IGNORECASE,
)
_AMOUNT_WEIGHT = 0.6


def window(question: str, chunk_text: str, max_chars: int) -> tuple[int, int]:
    """Return the character span of `chunk_text`, at most `max_chars` long, that says most about the question.

    The span is a run of whole units (`retrieval.sentences`); only a unit longer than `max_chars` is cut, between
    words. Headings at its edges are left out, for the reader is given them apart.

    Raises:
        ValueError: `max_chars` is not positive.
    """
    if max_chars < 1:
        raise ValueError(f"max_chars is {max_chars}; a window needs at least 1 character")
    body = _without_outer_headings(units(chunk_text))
    if not body:
        return 0, 0
    weights = _weights(question, [chunk_text[unit.start : unit.end] for unit in body])
    first, last = _best_run(body, weights, max_chars)
    start, end = body[first].start, body[last].end
    if end - start <= max_chars:
        return start, end
    return _cut(question, chunk_text, start, end, max_chars)


def _without_outer_headings(found: Sequence[Unit]) -> Sequence[Unit]:
    body = [index for index, unit in enumerate(found) if unit.kind is not UnitKind.HEADING]
    return found[body[0] : body[-1] + 1] if body else found


def _weights(question: str, texts: Sequence[str]) -> list[dict[str, float]]:
    """Return what each unit has of the question: its stems, weighted by how few units have them, and an amount."""
    asked = set(stems(question))
    shared = [asked.intersection(stems(text)) for text in texts]
    having = Counter(stem for stemmed in shared for stem in stemmed)
    weights = [{stem: math.log(1 + len(texts) / having[stem]) for stem in stemmed} for stemmed in shared]
    if _ASKS_AMOUNT.search(question):
        for weight, text in zip(weights, texts, strict=True):
            if _AMOUNT.search(text):
                weight["\0amount"] = _AMOUNT_WEIGHT
    return weights


def _best_run(body: Sequence[Unit], weights: Sequence[dict[str, float]], max_chars: int) -> tuple[int, int]:
    """Slide over the longest runs that fit; of two with the same words, the one with more of them, then the earlier."""
    best, best_score = (0, 0), (-1.0, -1.0)
    counts: Counter[str] = Counter()
    known: dict[str, float] = {}
    last = -1
    for first in range(len(body)):
        while last + 1 < len(body) and (last < first or body[last + 1].end - body[first].start <= max_chars):
            last += 1
            counts.update(weights[last].keys())
            known |= weights[last]
        score = math.fsum(known[stem] for stem, count in counts.items() if count > 0)
        total = math.fsum(value for weight in weights[first : last + 1] for value in weight.values())
        if (score, total) > best_score:
            best, best_score = (first, last), (score, total)
        counts.subtract(weights[first].keys())
    return best


def _cut(question: str, text: str, start: int, end: int, max_chars: int) -> tuple[int, int]:
    """Return `max_chars` of one long unit around the densest part of the question's words, cut between words."""
    asked = set(stems(question))
    places = [
        match.start() for match in re.finditer(r"\w+", text[start:end]) if asked.intersection(stems(match.group()))
    ]
    begin = start
    if places:
        begin = start + max(
            places, key=lambda place: sum(place <= other < place + max_chars * 3 // 4 for other in places)
        )
        begin = max(start, min(begin - max_chars // 8, end - max_chars))
    while start < begin < end and not text[begin - 1].isspace() and begin - start < len(text):
        begin += 1
    if begin >= end:
        begin = start
    stop = min(begin + max_chars, end)
    if stop < end and (space := text.rfind(" ", begin + 1, stop + 1)) > begin:
        stop = space
    return begin, stop
