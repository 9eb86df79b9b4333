"""Templates: `{limit:money}` becomes a value, and `[[up to $60 per day]]` marks words that serve as evidence.

Marks may carry a label, `[[exception|does not apply to interns]]`; one without a label is called `main`.
The formats are those of `training.formats`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reasoning_core.working import calculate, check, parse_value
from training.expressions import Bindings
from training.formats import shown

_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
_MARK = re.compile(r"\[\[(?:(\w+)\|)?(.+?)\]\]")
_RELATION = re.compile(r"^(\S+) <=> (\S+)$")
_SIGNS = {1: ">", 0: "=", -1: "<"}


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text and the words in it that serve as evidence, by label."""

    text: str
    marks: dict[str, str]


def slots(template: str) -> list[tuple[str, str]]:
    """Return (name, format) of every slot of a template."""
    return [(name, form) for name, form in _SLOT.findall(template)]


def labels(template: str) -> set[str]:
    """Return the labels of the marks in a template."""
    return {label or "main" for label, _ in _MARK.findall(template)}


def with_label(template: str, label: str) -> str:
    """Give every mark of a template this label."""
    return _MARK.sub(lambda mark: f"[[{label}|{mark[2]}]]", template)


def render(template: str, bindings: Bindings, date_form: str = "") -> str:
    """Fill the slots of a template; dates without a format of their own are written in `date_form`."""

    def filled(slot: re.Match[str]) -> str:
        value, form = bindings[slot[1]], slot[2] or ""
        return shown(value, form or (date_form if isinstance(value, date) else ""))

    return _SLOT.sub(filled, template)


def marked(template: str, bindings: Bindings, date_form: str = "") -> MarkedText:
    """Fill a policy text and take its marks out."""
    text = render(template, bindings, date_form)
    marks = {label or "main": words for label, words in _MARK.findall(text)}
    return MarkedText(_MARK.sub(r"\2", text), marks)


def working_line(template: str, bindings: Bindings) -> str:
    """Fill a line of working; `a <=> b` becomes the true relation, and a result is written as the checker writes it."""
    line = render(template, bindings)
    if match := _RELATION.match(line):
        return f"{match[1]} {_relation(match[1], match[2])} {match[2]}"
    expression, equals, stated = line.rpartition(" = ")
    if equals and (stated == "?" or check(line, {}).holds) and (result := calculate(expression)) is not None:
        return f"{expression} = {result}"
    return line


def with_citations(answer: str, numbers: Sequence[int]) -> str:
    """Close an answer with its citations and a full stop."""
    cited = " ".join(f"[{n}]" for n in dict.fromkeys(numbers))
    return f"{answer} {cited}." if cited else f"{answer}."


def _relation(left: str, right: str) -> str:
    a, b = parse_value(left), parse_value(right)
    if type(a) is not type(b):
        raise ValueError(f"{left} cannot be compared with {right}: a date goes with a date, a number with a number")
    return _SIGNS[(a > b) - (a < b)]  # type: ignore[operator] # both are numbers or both are dates
