"""The working language and its exact checker.

One line is one checkable step, of four kinds::

    "up to $60 per day" [2]             the words stand in passage 2
    75 > 60                             a comparison of two numbers or two dates (> < >= <= = !=)
    25 - 12 + 3 = 16                    arithmetic (+ - * /, usual precedence), and `20 % of 300 = 60`
    2024-03-01 + 30 d = 2024-03-31      a date shifted by d, w, m or y; `2024-03-31 - 2024-03-01 = 30 d`

Numbers are exact fractions (`1,500` and `0.45` are numbers, floats never occur), dates are ISO 8601 calendar dates,
a month or year shift that lands past the end of a month stops at its last day. Nothing is ever evaluated as code.
The same module makes training data and checks answers.
"""

import calendar
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, timedelta
from fractions import Fraction

Value = Fraction | date

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_DATE = r"\d{4}-\d{2}-\d{2}"
_QUOTE = re.compile(r'"(?P<words>[^"\n]+)" \[(?P<n>\d{1,6})\]')
_COMPARISON = re.compile(rf"(?P<left>{_DATE}|{_NUMBER}) (?P<op>>=|<=|!=|>|<|=) (?P<right>{_DATE}|{_NUMBER})")
_PERCENT = re.compile(rf"(?P<rate>{_NUMBER}) % of (?P<whole>{_NUMBER})")
_DATE_SHIFT = re.compile(rf"(?P<day>{_DATE}) (?P<sign>[+-]) (?P<count>\d{{1,5}}) (?P<unit>[dwmy])")
_DATE_SPAN = re.compile(rf"(?P<late>{_DATE}) - (?P<early>{_DATE})")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS)
_DAY_IN_WORDS = re.compile(
    rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH})\.?,? (?P<year>\d{{4}})\b"
    rf"|\b(?P<month_first>{_MONTH})\.? (?P<day_second>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year_last>\d{{4}})\b",
    re.IGNORECASE,
)
_ARITHMETIC = re.compile(rf"{_NUMBER}(?: [-+*/] {_NUMBER})+")

# Far above any honest step, and so short that no chain of products or quotients takes time.
_MAX_CLAIM_CHARACTERS = 500
_MAX_GROUPED_DIGITS = 30

_COMPARE: dict[str, Callable[[Value, Value], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one working line holds, and why not if it does not."""

    line: str
    holds: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """A working line of the first kind: words said to stand in passage `n`."""

    words: str
    n: int


def parse_quote(line: str) -> Quote | None:
    match = _QUOTE.fullmatch(line)
    return Quote(match["words"], int(match["n"])) if match else None


def check(line: str, passages: Mapping[int, str]) -> Verdict:
    """Re-execute one line; `passages` maps each passage number to the text that the core has read."""
    if quote := parse_quote(line):
        if quote.n not in passages:
            return Verdict(line, False, f"there is no passage {quote.n}")
        found = quote.words in passages[quote.n]
        return Verdict(line, found, "" if found else f"these words do not stand in passage {quote.n}")
    try:
        return _check_claim(line)
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        return Verdict(line, False, str(error))


def calculate(expression: str) -> str | None:
    """Return the exact result of an expression as the language writes it, or None where it has no finite form."""
    try:
        result = _evaluate(expression.strip())
    except (ValueError, OverflowError, ZeroDivisionError):
        return None
    return result


def numbers_in(text: str) -> list[str]:
    """Return every date and number in `text`, dates whole, in order."""
    return re.findall(rf"{_DATE}|{_NUMBER}", text)


def spellings(text: str) -> set[str]:
    """Return every date and number in `text` in each way that the working or the answer may write it.

    1500 and 1,500 are one number, 12.5 and 12.50 as well; 31 March 2027 is 2027-03-31.
    """
    found = set(numbers_in(text))
    for value in tuple(found):
        whole, point, decimals = value.replace(",", "").partition(".")
        if not value.count("-"):
            grouped = f"{int(whole):,}" if whole[0] != "0" and len(whole) <= _MAX_GROUPED_DIGITS else whole
            found |= {f"{written}{point}{decimals}" for written in (whole, grouped)}
            found |= {f"{written}.{decimals}0" for written in (whole, grouped) if len(decimals) == 1}
    return found | {day for match in _DAY_IN_WORDS.finditer(text) if (day := _iso(match))}


def parse_value(text: str) -> Value:
    """Read a number or an ISO date.

    Raises:
        ValueError: neither a number nor a calendar date.
    """
    if re.fullmatch(_DATE, text):
        return date.fromisoformat(text)
    if re.fullmatch(_NUMBER, text):
        return Fraction(text.replace(",", ""))
    raise ValueError(f"{text!r} is neither a number nor a date")


def _iso(written: re.Match[str]) -> str | None:
    """Return a date in words as the working writes it, None where the calendar has no such day."""
    day, month = written["day"] or written["day_second"], written["month"] or written["month_first"]
    year = written["year"] or written["year_last"]
    try:
        number = next(n for n, name in enumerate(_MONTHS, start=1) if name[:3].casefold() == month[:3].casefold())
        return date(int(year), number, int(day)).isoformat()
    except ValueError:
        return None


def _check_claim(line: str) -> Verdict:
    if len(line) > 2 * _MAX_CLAIM_CHARACTERS:
        raise ValueError(f"a line has at most {2 * _MAX_CLAIM_CHARACTERS} characters, this one has {len(line)}")
    if match := _COMPARISON.fullmatch(line):
        left, right = parse_value(match["left"]), parse_value(match["right"])
        if type(left) is not type(right):
            return Verdict(line, False, "a date cannot be compared with a number")
        holds = _COMPARE[match["op"]](left, right)
        return Verdict(line, holds, "" if holds else f"{match['left']} is not {match['op']} {match['right']}")
    expression, equals, stated = line.rpartition(" = ")
    if not equals:
        return Verdict(line, False, "not a line of the working language")
    result = _evaluate(expression)
    holds = result is not None and _same(result, stated)
    reason = "" if holds else f"it is {result}" if result else "it has no exact finite result"
    return Verdict(line, holds, reason)


def _same(result: str, stated: str) -> bool:
    if result.endswith(" d") or stated.endswith(" d"):
        return result == stated
    return parse_value(result.removeprefix("-")) == parse_value(stated.removeprefix("-")) and (
        result.startswith("-") == stated.startswith("-")
    )


def _evaluate(expression: str) -> str | None:
    if len(expression) > _MAX_CLAIM_CHARACTERS:
        raise ValueError(f"a step has at most {_MAX_CLAIM_CHARACTERS} characters, this one has {len(expression)}")
    if match := _PERCENT.fullmatch(expression):
        return _decimal(_number(match["rate"]) * _number(match["whole"]) / 100)
    if match := _DATE_SHIFT.fullmatch(expression):
        count = int(match["count"]) * (1 if match["sign"] == "+" else -1)
        return _shift(date.fromisoformat(match["day"]), count, match["unit"]).isoformat()
    if match := _DATE_SPAN.fullmatch(expression):
        return f"{(date.fromisoformat(match['late']) - date.fromisoformat(match['early'])).days} d"
    if _ARITHMETIC.fullmatch(expression):
        return _decimal(_sum(expression.split(" ")))
    raise ValueError("not a line of the working language")


def _number(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _sum(words: list[str]) -> Fraction:
    terms = [_number(words[0])]
    for symbol, word in zip(words[1::2], words[2::2], strict=True):
        if symbol == "*":
            terms[-1] *= _number(word)
        elif symbol == "/":
            terms[-1] /= _number(word)
        else:
            terms.append(_number(word) if symbol == "+" else -_number(word))
    return sum(terms, Fraction(0))


def _decimal(value: Fraction) -> str | None:
    """Write a fraction in full decimals, or return None where its expansion does not end."""
    twos, fives = _multiplicity(value.denominator, 2), _multiplicity(value.denominator, 5)
    if value.denominator != 2**twos * 5**fives:
        return None
    places = max(twos, fives)
    digits = str(abs(value.numerator * 10**places // value.denominator)).rjust(places + 1, "0")
    text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{text}" if value < 0 else text


def _multiplicity(number: int, prime: int) -> int:
    """Return how many times `prime` divides `number`."""
    times = 0
    while number % prime == 0:
        number, times = number // prime, times + 1
    return times


def _shift(day: date, count: int, unit: str) -> date:
    if unit in "dw":
        return day + timedelta(days=count * (7 if unit == "w" else 1))
    months = day.year * 12 + day.month - 1 + count * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    if not MINYEAR <= year <= MAXYEAR:
        raise ValueError(f"{day} shifted by {count} {unit} leaves the calendar")
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
