"""Values of one kind beside each other: where a sentence states two, code cannot tell which of them was asked for.

A table row is an exception: its header tells, where it fits the question better over one cell than over the others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reasoning_core.words import content_words, stem

_AMOUNT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})|(?P<time>\d{1,2}:\d{2})|"
    r"(?:(?P<sign>[$€£])\s?)?(?P<number>\d[\d,]*(?:\.\d+)?)(?:\s?(?P<unit>%|[a-z]+))?",
    re.I,
)
_MONEY = frozenset({"dollar", "euro", "pound", "eur", "usd", "gbp"})
_NO_UNIT = frozenset({"or", "and", "per", "of", "on", "up", "to", "from", "for", "in", "at", "if", "until", "is", "it"})


@dataclass(frozen=True, slots=True)
class Amount:
    """A number, date or time with what it counts."""

    kind: str
    value: str
    start: int


def amounts(text: str) -> list[Amount]:
    return [Amount(_kind(match), _value(match), match.start()) for match in _AMOUNT.finditer(text)]


def rivals(short_answer: str, question: str, sentences: Sequence[str]) -> list[str]:
    """Return the values in the cited sentences that could as well have been the answer.

    `sentences` are whole sentences; a table row is led by the header of its table in a line of its own.
    """
    given = amounts(short_answer)
    if not given:
        return []
    found = []
    for sentence in dict.fromkeys(sentences):
        header, newline, row = sentence.rpartition("\n")
        in_table = bool(newline) and row.startswith("|")
        alike = [a for a in amounts(row) if a.kind == given[0].kind]
        of_answer = [a for a in alike if a.value in {each.value for each in given}]
        for rival in (a for a in alike if a not in of_answer):
            if not (in_table and of_answer and _column_fits(question, header, row, of_answer[0], rival)):
                found.append(rival.value)
    return found


def _column_fits(question: str, header: str, row: str, answer: Amount, rival: Amount) -> bool:
    """Tell whether the header of the answer's cell says more of the question than that of the rival's."""
    names, asked = header.split("|"), content_words(question)
    columns = [row.count("|", 0, amount.start) for amount in (answer, rival)]
    if max(columns) >= len(names):
        return False
    fits = [len(asked & content_words(names[column])) for column in columns]
    return fits[0] > fits[1]


def _kind(match: re.Match[str]) -> str:
    if match["date"] or match["time"]:
        return "date" if match["date"] else "time"
    unit = stem((match["unit"] or "").casefold())
    if match["sign"] or unit in _MONEY:
        return "money"
    return "" if unit in _NO_UNIT else unit


def _value(match: re.Match[str]) -> str:
    return (match["date"] or match["time"] or match["number"]).replace(",", "")
