"""Questions as people type them: amounts and dates in forms of their own, and, in haste, letters lost or swapped.

A number stays the same number, a date the same day, and names keep their letters, so that the answer stays the same.
"""

import random
import re
from collections.abc import Callable
from datetime import date

from training.currencies import CURRENCIES
from training.formats import shown

_WORD = re.compile(r"(?<![\w@.-])[a-z]{4,}(?![\w@-]|\.\w)")
_END = re.compile(r"[.?!]+$")
_LOOSE_COMMA = re.compile(r",(?=\s)")
_AMOUNT = re.compile(rf"([{''.join(CURRENCIES)}])(\d[\d,]*(?:\.\d+)?)")
_AMOUNT_FORMS = (
    *("{amount} {many}", "{amount} {code}", "{amount}{sign}", "{sign} {amount}", "{code} {amount}"),
    *("{sign}{amount}",) * 3,
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def loosely(question: str, rng: random.Random) -> str:
    """Return the question with its amounts and dates in other forms: 1500 dollars, 31 March 2027."""
    form, day_form = rng.choice(_AMOUNT_FORMS), rng.choice(("date", "date_us", ""))

    def amount(match: re.Match[str]) -> str:
        currency = CURRENCIES[match[1]]
        return form.format(amount=match[2], sign=currency.sign, code=currency.code, many=currency.many)

    question = _AMOUNT.sub(amount, question)
    question = _DAY.sub(lambda match: shown(date.fromisoformat(match[0]), day_form), question)
    return _THOUSANDS.sub("", question) if rng.random() < 0.7 else question


def mistyped(question: str, rng: random.Random) -> str:
    """Return the question with one to three slips; capitals go last, for they tell the names."""
    for index in sorted(rng.sample(range(len(_SLIPS)), rng.choice((1, 1, 2, 3)))):
        question = _SLIPS[index](question, rng)
    return question


def _letters(question: str, rng: random.Random) -> str:
    """Spoil one or two words by one letter each."""
    words = list(_WORD.finditer(question))
    for match in sorted(rng.sample(words, min(len(words), rng.choice((1, 1, 2)))), key=lambda m: -m.start()):
        question = question[: match.start()] + _spoiled(match[0], rng) + question[match.end() :]
    return question


def _spoiled(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    kind = rng.random()
    if kind < 0.4:
        return word[:at] + word[at + 1 :]
    if kind < 0.75:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at] + word[at:]


def _lower(question: str, rng: random.Random) -> str:
    return question.lower()


def _without_end(question: str, rng: random.Random) -> str:
    return _END.sub("", question)


def _without_commas(question: str, rng: random.Random) -> str:
    return _LOOSE_COMMA.sub("", question).replace("'", "")


def _joined(question: str, rng: random.Random) -> str:
    """Leave one space out, between two plain words."""
    gaps = [m.start() for m in re.finditer(r"(?<=[a-z]) (?=[a-z])", question)]
    if not gaps:
        return question
    at = rng.choice(gaps)
    return question[:at] + question[at + 1 :]


_Slip = Callable[[str, random.Random], str]
_SLIPS: tuple[_Slip, ...] = (_letters, _letters, _joined, _without_end, _without_commas, _lower)
