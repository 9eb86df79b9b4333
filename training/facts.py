"""Facts: a rule with its values drawn, its policy text written, and the words that prove it marked."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from training.expressions import Scalar
from training.phrasing import MarkedText, marked
from training.rules import Rule, Table
from training.values import Side, draw_all

_MIN_TO_HOLD_OUT = 3
_PLACE = "\0"  # stands for the rows while the text around them is filled in
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words of one part of a policy text."""

    part: int
    words: str


@dataclass(frozen=True, slots=True)
class Source:
    """The text that states a fact, in one part for each passage; the rows of a table share it."""

    number: int
    heading: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One answerable fact."""

    rule: Rule
    bindings: Mapping[str, Scalar]
    evidence: Mapping[str, Evidence]
    source: Source

    @property
    def identity(self) -> tuple[str, Scalar | None]:
        return self.rule.about, self.bindings[self.rule.key] if self.rule.key else None


def one_phrasing(options: Sequence[_T], rng: random.Random, held_out: bool) -> _T:
    """Pick a phrasing of the side; fewer than three are shared by both sides."""
    if len(options) < _MIN_TO_HOLD_OUT:
        return rng.choice(options)
    return options[-1] if held_out else rng.choice(options[:-1])


@dataclass(frozen=True, slots=True)
class Wording:
    """How a rule is put in this company: heading and policy text."""

    heading: str
    parts: tuple[str, ...]


def word(rule: Rule, rng: random.Random, side: Side) -> Wording:
    parts = one_phrasing(rule.policy, rng, side.phrasings)
    return Wording(f"{rng.choice(rule.titles)} > {rng.choice(rule.sections)}", parts)


def realise(
    rule: Rule,
    wording: Wording,
    rng: random.Random,
    side: Side,
    number: int,
    known: Mapping[str, Scalar] | None = None,
) -> list[Fact]:
    """Draw a rule's values and write it down; a rule with a table gives one fact for each row."""
    bindings = draw_all(rule.values, known or {}, rng, side, rule.id)
    if rule.table:
        return _rows(rule, rule.table, wording, bindings, rng, side, number)
    written = [marked(part, bindings) for part in wording.parts]
    source = Source(number, wording.heading, tuple(text.text for text in written))
    return [Fact(rule, bindings, _evidence(written), source)]


def _rows(
    rule: Rule,
    table: Table,
    wording: Wording,
    bindings: Mapping[str, Scalar],
    rng: random.Random,
    side: Side,
    number: int,
) -> list[Fact]:
    count = rng.randint(table.low, table.high)
    rows = [draw_all(table.values, bindings, rng, side, rule.id) for _ in range(count)]
    if rule.key:
        rows = list({row[rule.key]: row for row in rows}.values())
    lines = [marked(table.row, row) for row in rows]
    body = "\n".join([*([table.head] if table.head else []), *(line.text for line in lines)])
    written = [marked(part.replace("{table}", _PLACE), bindings) for part in wording.parts]
    place = next(part for part, text in enumerate(written) if _PLACE in text.text)
    source = Source(number, wording.heading, tuple(text.text.replace(_PLACE, body) for text in written))
    shared = _evidence(written)
    return [
        Fact(rule, row, {**shared, **{label: Evidence(place, words) for label, words in line.marks.items()}}, source)
        for row, line in zip(rows, lines, strict=True)
    ]


def _evidence(written: Sequence[MarkedText]) -> dict[str, Evidence]:
    return {label: Evidence(part, words) for part, text in enumerate(written) for label, words in text.marks.items()}
