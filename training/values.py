"""What the values of a rule may be, and drawing them.

Held-out values never occur in training: a number is held out for its rule and name by a hash, an entity by its own.
"""

import random
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from training.expressions import Scalar, evaluate
from training.world import POOLS, is_held_out

_HELD_OUT_SHARE = 8
_MIN_NUMBERS_TO_HOLD_OUT = 10


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `low` to `high` in steps, a decimal where one of them is."""

    low: int | Decimal
    high: int | Decimal
    step: int | Decimal = 1


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar date from `first` to `last`."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One of a few sets of words that belong together; each field becomes a value of its own."""

    options: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """A name from a pool of the invented world."""

    pool: str


@dataclass(frozen=True, slots=True)
class Around:
    """A number near one of the named values, on either side, now and then equal."""

    centres: tuple[str, ...]
    spread_percent: int
    step: int | Decimal = 1


@dataclass(frozen=True, slots=True)
class Either:
    """The value of one of several names."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Computed:
    """The value of an expression over the values before it."""

    expression: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A parameter: the same in every dialogue."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class AskedDay:
    """The date that a question about a rule with versions asks for; drawn together with the version in force."""


Domain = Number | Day | Choice | Record | Entity | Around | Either | Computed | Constant | AskedDay


@dataclass(frozen=True, slots=True)
class Side:
    """Which side of each split a draw is on; True is the held-out side.

    `statements` is the side of what is asked about: a share of all policy texts, as written with their values, never
    stands in training, so that no case of a suite can be met there as a whole.
    """

    values: bool = False
    entities: bool = False
    phrasings: bool = False
    attacks: bool = False
    statements: bool = False


def draw_all(
    domains: Mapping[str, Domain], known: Mapping[str, Scalar], rng: random.Random, side: Side, rule_id: str
) -> dict[str, Scalar]:
    """Draw every value in order; a name in `known` keeps its value."""
    bindings = dict(known)
    for name, domain in domains.items():
        if name in bindings:
            continue
        if isinstance(domain, Record):
            bindings.update(rng.choice(domain.options))
        else:
            bindings[name] = _draw(name, domain, bindings, rng, side, rule_id)
    return bindings


def can_hold_out(domain: Domain) -> bool:
    """Tell whether a domain has numbers enough to hold some of them out."""
    return isinstance(domain, Number) and _count(domain) >= _MIN_NUMBERS_TO_HOLD_OUT


def number_is_held_out(rule_id: str, name: str, value: int | Decimal) -> bool:
    return zlib.crc32(f"{rule_id}/{name}/{value}".encode()) % _HELD_OUT_SHARE == 0


def _draw(  # noqa: PLR0911 - one return for each kind of domain
    name: str, domain: Domain, bindings: Mapping[str, Scalar], rng: random.Random, side: Side, rule_id: str
) -> Scalar:
    match domain:
        case Number():
            return _number(name, domain, rng, side, rule_id)
        case Day(first, last):
            return first + timedelta(days=rng.randrange((last - first).days + 1))
        case Choice(options):
            free = [option for option in options if option not in bindings.values()]
            return rng.choice(free or options)
        case Entity(pool):
            return _entity(pool, bindings, rng, side)
        case Around():
            return _around(domain, bindings, rng)
        case Either(names):
            return bindings[rng.choice(names)]
        case Computed(expression):
            value = evaluate(expression, bindings)
            if not isinstance(value, int | Decimal | str | date):
                raise ValueError(f"{expression!r} of rule {rule_id} gives {value!r}: a value is a number or a date")
            return value
        case Constant(value):
            return value
    raise AssertionError(domain)


def _number(name: str, domain: Number, rng: random.Random, side: Side, rule_id: str) -> int | Decimal:
    count = _count(domain)
    if count < _MIN_NUMBERS_TO_HOLD_OUT:
        return _nth(domain, rng.randrange(count))
    for _ in range(200):
        value = _nth(domain, rng.randrange(count))
        if number_is_held_out(rule_id, name, value) == side.values:
            return value
    every = (_nth(domain, index) for index in range(count))
    return next((value for value in every if number_is_held_out(rule_id, name, value) == side.values), value)


def _count(domain: Number) -> int:
    return int((domain.high - domain.low) // domain.step) + 1


def _nth(domain: Number, index: int) -> int | Decimal:
    """Return a number of the domain; a decimal keeps the places that the rulebook writes."""
    return domain.low + domain.step * index


def _entity(pool: str, bindings: Mapping[str, Scalar], rng: random.Random, side: Side) -> str:
    while True:
        name = POOLS[pool](rng)
        if is_held_out(pool, name) == side.entities and name not in bindings.values():
            return name


def _around(domain: Around, bindings: Mapping[str, Scalar], rng: random.Random) -> int | Decimal:
    centre = bindings[rng.choice(domain.centres)]
    assert isinstance(centre, int | Decimal), "checked when the rulebook was read"
    if rng.random() < 0.1:
        return centre
    reach = max(domain.step, centre * domain.spread_percent // 100)
    away = domain.step * rng.randint(1, max(1, int(reach // domain.step)))
    value = centre + away * rng.choice((-1, 1))
    return value if value > 0 else centre + away
