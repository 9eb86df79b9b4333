"""A rule: the policy in words, the questions about it, and the decision."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from training.values import Domain

START, DAY = "start", "day"  # what versions bring: when one takes effect, and the day that a question asks about


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows where `when` is true: working behind the evidence, and the answer without citations."""

    when: str
    working: tuple[str, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Missing:
    """The question without its input, and what to ask back."""

    phrasings: tuple[str, ...]
    ask: str


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of question about a rule.

    `changed` are follow-ups that give another input, `other_key` follow-ups that ask the same of another key.
    `evidence` names the marks of the policy text that the working quotes.
    """

    name: str
    inputs: Mapping[str, Domain]
    phrasings: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    evidence: tuple[str, ...] = ("main",)
    changed: tuple[str, ...] = ()
    other_key: tuple[str, ...] = ()
    missing: Missing | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """An exception: where its text stands beside the rule and `when` is true, its answer takes the rule's place.

    `working` tests it, and is written whether it applies or not; its text is quoted under its name.
    """

    name: str
    when: str
    texts: tuple[str, ...]
    questions: tuple[str, ...]
    working: tuple[str, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Versions:
    """A rule in `low` to `high` versions, each with values of its own and a day on which it takes effect."""

    low: int
    high: int
    first: date
    last: date
    values: Mapping[str, Domain]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a table or list in the policy text, each with values of its own; `{table}` stands for all of them."""

    low: int
    high: int
    head: str
    row: str
    values: Mapping[str, Domain]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a rulebook; two facts of one `about` and one value of `key` would contradict each other."""

    id: str
    about: str
    topic: str
    key: str | None
    weight: int
    held_out: bool
    titles: tuple[str, ...]
    sections: tuple[str, ...]
    values: Mapping[str, Domain]
    table: Table | None
    versions: Versions | None
    policy: tuple[tuple[str, ...], ...]
    exceptions: tuple[Override, ...]
    questions: tuple[Question, ...]
