"""Templates: `{limit:money}` becomes a value, and `[[up to $60 per day]]` marks words that serve as evidence.

Marks may carry a label, `[[exception|does not apply to interns]]`; one without a label is called `main`.
Formats are `money` ($1,500), `cap` (first letter upper case) and none (1,500; ISO dates).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reasoning_core.working import calculate
from training.expressions import Bindings, Scalar

FORMATS = ("money", "cap")
_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
_MARK = re.compile(r"\[\[(?:(\w+)\|)?(.+?)\]\]")
_RELATION = re.compile(r"^(\S+) <=> (\S+)$")


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


def render(template: str, bindings: Bindings) -> str:
    """Fill the slots of a template."""
    return _SLOT.sub(lambda slot: _shown(bindings[slot[1]], slot[2] or ""), template)


def marked(template: str, bindings: Bindings) -> MarkedText:
    """Fill a policy text and take its marks out."""
    text = render(template, bindings)
    marks = {label or "main": words for label, words in _MARK.findall(text)}
    return MarkedText(_MARK.sub(r"\2", text), marks)


def working_line(template: str, bindings: Bindings) -> str:
    """Fill a line of working; `a <=> b` becomes the true relation, and a closing `= ?` the exact result."""
    line = render(template, bindings)
    if match := _RELATION.match(line):
        return f"{match[1]} {_relation(match[1], match[2])} {match[2]}"
    if line.endswith(" = ?"):
        expression = line.removesuffix(" = ?")
        return f"{expression} = {calculate(expression)}"
    return line


def with_citations(answer: str, numbers: Sequence[int]) -> str:
    """Close an answer with its citations and a full stop."""
    cited = " ".join(f"[{n}]" for n in dict.fromkeys(numbers))
    return f"{answer} {cited}." if cited else f"{answer}."


def _relation(left: str, right: str) -> str:
    a, b = _ordered(left), _ordered(right)
    return ">" if a > b else "<" if a < b else "="


def _ordered(text: str) -> float:
    return float(date.fromisoformat(text).toordinal() if text.count("-") == 2 else text.replace(",", ""))


def _shown(value: Scalar, form: str) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    if form == "money":
        return f"${text}"
    return text[:1].upper() + text[1:] if form == "cap" else text
