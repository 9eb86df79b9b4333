"""Facts: what a rule says with its values drawn, and the words that prove it."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from training.expressions import Scalar
from training.rules import Override, Rule

_MIN_TO_HOLD_OUT = 3
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
class Edition:
    """One version of a rule: its own values, its evidence, and the day from which it holds."""

    start: date
    bindings: Mapping[str, Scalar]
    evidence: Mapping[str, Evidence]


@dataclass(frozen=True, slots=True)
class Fact:
    """One answerable fact; `exceptions` are those that its text states, `editions` its versions from the oldest."""

    rule: Rule
    bindings: Mapping[str, Scalar]
    evidence: Mapping[str, Evidence]
    source: Source
    exceptions: tuple[Override, ...] = ()
    editions: tuple[Edition, ...] = ()

    @property
    def thing(self) -> Scalar | None:
        """What the fact is about among facts of its rule; None where the rule has no key."""
        return self.bindings[self.rule.key] if self.rule.key else None

    @property
    def identity(self) -> tuple[str, Scalar | None]:
        return self.rule.about, self.thing

    @property
    def quotes(self) -> Collection[Evidence]:
        places = (place for edition in self.editions for place in edition.evidence.values())
        return (*self.evidence.values(), *places)

    def edition_on(self, day: Scalar | None) -> Edition | None:
        """Return the version in force on a day; None before the first, and for a rule without versions."""
        begun = [edition for edition in self.editions if isinstance(day, date) and edition.start <= day]
        return begun[-1] if begun else None

    def edition_after(self, edition: Edition) -> Edition | None:
        return next((later for later in self.editions if later.start > edition.start), None)


def of_side(options: Sequence[_T], held_out: bool) -> Sequence[_T]:
    """Return the phrasings of one side: the last is held out; fewer than three are shared by both sides."""
    if len(options) < _MIN_TO_HOLD_OUT:
        return options
    return options[-1:] if held_out else options[:-1]


def one_phrasing(options: Sequence[_T], rng: random.Random, held_out: bool) -> _T:
    return rng.choice(of_side(options, held_out))
