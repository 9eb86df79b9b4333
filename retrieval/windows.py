"""The part of a chunk that matters to a question: whole sentences, items or rows, verbatim, for a small reader."""

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from retrieval.sentences import Unit, UnitKind, table_headers, units
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
_RULE = re.compile(r"[\s|:-]+")
_AMOUNT_WEIGHT = 0.6
_NAME_WEIGHT = 1.6  # of a name or number in the question against another word
_NAME = re.compile(r"(?<=[a-z,;:] )[A-Z][\w-]*|[A-Z]{2,}|\d[\d.,]*\d|\d")


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
    weights = _weights(question, body, [chunk_text[unit.start : unit.end] for unit in body])
    first, last = _best_run(body, weights, max_chars)
    if first < last and _RULE.fullmatch(chunk_text, body[first].start, body[first].end):
        first += 1  # the line under a header that is not there
    start, end = body[first].start, body[last].end
    if end - start <= max_chars:
        return start, end
    return _cut(question, chunk_text, start, end, max_chars)


def table_header(text: str, position: int) -> tuple[int, int] | None:
    """Return the span of the row that names the columns at `position`, None outside a table and in that row.

    A window into a long table leaves its header out; with this, a reader can be told what the columns are.
    """
    found = units(text)
    for unit, header in zip(found, table_headers(text, found), strict=True):
        if unit.start <= position < unit.end:
            return (header.start, header.end) if header else None
    return None


def _without_outer_headings(found: Sequence[Unit]) -> Sequence[Unit]:
    body = [index for index, unit in enumerate(found) if unit.kind is not UnitKind.HEADING]
    return found[body[0] : body[-1] + 1] if body else found


def _weights(question: str, body: Sequence[Unit], texts: Sequence[str]) -> list[dict[str, float]]:
    """Return what each unit has of the question: its stems, weighted by how few units have them, and an amount."""
    asked = set(stems(question))
    shared = [asked.intersection(stems(text)) for text in texts]
    having = Counter(stem for stemmed in shared for stem in stemmed)
    names = {stem for name in _NAME.findall(question) for stem in stems(name)}
    value = {
        stem: math.log(1 + len(texts) / count) * (_NAME_WEIGHT if stem in names else 1)
        for stem, count in having.items()
    }
    weights = [{stem: value[stem] for stem in stemmed} for stemmed in _with_column_names(body, shared)]
    if _ASKS_AMOUNT.search(question):
        for weight, text in zip(weights, texts, strict=True):
            if _AMOUNT.search(text):
                weight["\0amount"] = _AMOUNT_WEIGHT
    return weights


def _with_column_names(body: Sequence[Unit], shared: Sequence[set[str]]) -> list[set[str]]:
    """Return the stems of each unit; a table's row also has those of the table's first row, which names its cells."""
    result: list[set[str]] = []
    header: set[str] = set()
    for index, (unit, stemmed) in enumerate(zip(body, shared, strict=True)):
        is_row = unit.kind is UnitKind.TABLE_ROW
        if is_row and (index == 0 or body[index - 1].kind is not UnitKind.TABLE_ROW):
            header = stemmed
        result.append(stemmed | header if is_row else stemmed)
    return result


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
    words_of = ((match.start() + start, match.group()) for match in re.finditer(r"\w+", text[start:end]))
    places = [place for place, word in words_of if asked.intersection(stems(word))]
    begin = max(start, min(_densest(places, max_chars * 3 // 4) - max_chars // 8, end - max_chars)) if places else start
    if begin > start and not text[begin - 1].isspace():
        space = text.find(" ", begin, begin + max_chars // 4)
        begin = space + 1 if space >= 0 else begin
    stop = min(begin + max_chars, end)
    if stop < end and not text[stop].isspace() and (space := text.rfind(" ", begin + 1, stop)) >= 0:
        stop = space
    return begin, stop


def _densest(places: Sequence[int], width: int) -> int:
    """Return the place from which most places lie within `width`, the first of several."""
    return max(places, key=lambda place: bisect_left(places, place + width) - bisect_left(places, place))
