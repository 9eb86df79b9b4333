"""Writing a rule down: its wording in one company, its values drawn, its text as passages will show it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.editions import editions
from training.expressions import Scalar
from training.facts import Evidence, Fact, Source, one_phrasing
from training.passages import closed, heading
from training.phrasing import MarkedText, marked, slots
from training.rules import Override, Rule, Table
from training.values import Day, Side, draw_all

_STATED_SHARE = 0.65  # of the exceptions of a rule
_APART_SHARE = 0.3  # of the stated exceptions have a passage of their own
_DATE_FORMS = ("", "", "", "date", "date_us")
_PLACE = "\0"  # stands for the rows while the text around them is filled in


@dataclass(frozen=True, slots=True)
class Wording:
    """How a rule is put in this company: heading, policy text, and the exceptions that the text states."""

    heading: str
    parts: tuple[str, ...]
    exceptions: tuple[Override, ...] = ()
    date_form: str = ""


def word(rule: Rule, rng: random.Random, side: Side) -> Wording:
    # A year in a title would speak of the dates that a rule with dates is about.
    dated = rule.versions is None and not any(isinstance(domain, Day) for domain in rule.values.values())
    line = heading(rng.choice(rule.titles), rng.choice(rule.sections), rng, dated=dated)
    parts, date_form = one_phrasing(rule.policy, rng, side.phrasings), rng.choice(_DATE_FORMS)
    if rule.versions:
        count = rng.randint(rule.versions.low, rule.versions.high)
        others = [one_phrasing(rule.policy, rng, side.phrasings)[0] for _ in range(count)]
        texts = (parts[0],) * count if rng.random() < 0.5 else tuple(others)
        return Wording(line, texts, date_form=date_form)
    stated = tuple(exception for exception in rule.exceptions if rng.random() < _STATED_SHARE)
    for exception in stated:
        text = one_phrasing(exception.texts, rng, side.phrasings)
        # Only a text that names its thing can be told from the exceptions to the same rule for other things.
        apart = rule.key in {name for name, _ in slots(text)} and rng.random() < _APART_SHARE
        parts = (*parts, text) if apart else (_with_exception(parts[0], text), *parts[1:])
    return Wording(line, parts, stated, date_form)


def _with_exception(policy: str, exception: str) -> str:
    """Put an exception behind the policy text that it limits."""
    if "\n" in policy or "{table}" in policy or policy.startswith("| "):
        return f"{policy}\n{exception}"
    return f"{policy}{'' if closed(policy.rstrip(']')) else '.'} {exception}"


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
    if rule.versions:
        texts, found = editions(rule, rule.versions, wording.parts, wording.date_form, bindings, rng, side)
        return [Fact(rule, bindings, {}, Source(number, wording.heading, texts), editions=found)]
    written = [marked(part, bindings, wording.date_form) for part in wording.parts]
    source = Source(number, wording.heading, tuple(text.text for text in written))
    return [Fact(rule, bindings, _evidence(written), source, wording.exceptions)]


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
    lines = [marked(table.row, row, wording.date_form) for row in rows]
    body = "\n".join([*([table.head] if with_head else []), *(line.text for line in lines)])
    written = [marked(part.replace("{table}", _PLACE), bindings, wording.date_form) for part in wording.parts]
    place = next(part for part, text in enumerate(written) if _PLACE in text.text)
    source = Source(number, wording.heading, tuple(text.text.replace(_PLACE, body) for text in written))
    shared = _evidence(written)
    return [
        Fact(
            rule,
            row,
            {**shared, **{label: Evidence(place, words) for label, words in line.marks.items()}},
            source,
            wording.exceptions,
        )
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
