"""Facts: a rule with its values drawn, its policy text written, and the words that prove it marked."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from training.expressions import Scalar
from training.passages import heading
from training.phrasing import MarkedText, marked
from training.rules import Rule, Table
from training.values import Day, Side, draw_all

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
    def thing(self) -> Scalar | None:
        """What the fact is about among facts of its rule; None where the rule has no key."""
        return self.bindings[self.rule.key] if self.rule.key else None

    @property
    def identity(self) -> tuple[str, Scalar | None]:
        return self.rule.about, self.thing

    @property
    def quotes(self) -> Collection[Evidence]:
        return self.evidence.values()


def of_side(options: Sequence[_T], held_out: bool) -> Sequence[_T]:
    """Return the phrasings of one side: the last is held out; fewer than three are shared by both sides."""
    if len(options) < _MIN_TO_HOLD_OUT:
        return options
    return options[-1:] if held_out else options[:-1]


def one_phrasing(options: Sequence[_T], rng: random.Random, held_out: bool) -> _T:
    return rng.choice(of_side(options, held_out))


@dataclass(frozen=True, slots=True)
class Wording:
    """How a rule is put in this company: heading and policy text."""

    heading: str
    parts: tuple[str, ...]


def word(rule: Rule, rng: random.Random, side: Side) -> Wording:
    parts = one_phrasing(rule.policy, rng, side.phrasings)
    # A year in a title would speak of the dates that a rule with dates is about.
    dated = not any(isinstance(domain, Day) for domain in rule.values.values())
    return Wording(heading(rng.choice(rule.titles), rng.choice(rule.sections), rng, dated=dated), parts)


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
    rows, with_head = _seen(rows, table, rng)
    lines = [marked(table.row, row) for row in rows]
    body = "\n".join([*([table.head] if with_head else []), *(line.text for line in lines)])
    written = [marked(part.replace("{table}", _PLACE), bindings) for part in wording.parts]
    place = next(part for part, text in enumerate(written) if _PLACE in text.text)
    source = Source(number, wording.heading, tuple(text.text.replace(_PLACE, body) for text in written))
    shared = _evidence(written)
    return [
        Fact(rule, row, {**shared, **{label: Evidence(place, words) for label, words in line.marks.items()}}, source)
        for row, line in zip(rows, lines, strict=True)
    ]


def _seen(rows: list[dict[str, Scalar]], table: Table, rng: random.Random) -> tuple[list[dict[str, Scalar]], bool]:
    """Return the rows that a window shows, and whether it shows the head; columns are not guessed without one."""
    whole, guessable = rng.random() < 0.6, table.row.count("|") <= 3
    if whole or len(rows) < 3:
        return rows, bool(table.head)
    first = rng.randrange(len(rows) - 1)
    last = rng.randint(first + 2, len(rows))
    return rows[first:last], bool(table.head) and (first == 0 or not guessable or rng.random() < 0.3)


def _evidence(written: Sequence[MarkedText]) -> dict[str, Evidence]:
    return {label: Evidence(part, words) for part, text in enumerate(written) for label, words in text.marks.items()}
