"""Reading the values of a rule, and checking that every name in a text or an expression is one of them."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from itertools import chain

from training.expressions import Scalar, names_in
from training.formats import FORMATS
from training.phrasing import slots
from training.values import Around, Choice, Computed, Constant, Day, Domain, Either, Entity, Number, Record
from training.world import POOLS
from training.yaml_source import Field

_KINDS = ("number", "date", "choice", "records", "entity", "around", "either", "compute")


def domains(field: Field, outer: Mapping[str, Domain]) -> dict[str, Domain]:
    """Return the values of a mapping; each may build on those before it and on `outer`."""
    found: dict[str, Domain] = {}
    for name, item in field.entries():
        found[name] = _domain(name, item, names_of(outer) | names_of(found))
    return found


def constants(field: Field) -> dict[str, Domain]:
    """Return parameters: whole numbers, decimals, dates or words."""
    return {name: Constant(_scalar(item)) for name, item in field.entries()}


def names_of(values: Mapping[str, Domain]) -> set[str]:
    """Return what texts may name: each value, and each field of a record."""
    fields = (d.options[0].keys() for d in values.values() if isinstance(d, Record))
    return set(values) | set(chain.from_iterable(fields))


def templates(field: Field, known: set[str]) -> tuple[str, ...]:
    """Return one text or a list of texts whose slots are all known."""
    items = field.items() if field.is_list() else [field]
    for item in items:
        require_slots(item, item.text(), known)
    return tuple(item.text() for item in items)


def require_slots(field: Field, template: str, known: set[str]) -> None:
    for name, form in slots(template):
        if name not in known:
            raise field.error(f"{{{name}}} is not a value: add it to values or inputs")
        if form and form not in FORMATS:
            raise field.error(f"unknown format {form!r}: use one of {', '.join(FORMATS)}")


def require_names(field: Field, expression: str, known: set[str]) -> None:
    try:
        unknown = names_in(expression) - known
    except ValueError as error:
        raise field.error(str(error)) from error
    if unknown:
        raise field.error(f"{sorted(unknown)[0]!r} is not a value: add it to values or inputs")


def pair(field: Field) -> tuple[Field, Field]:
    items = field.items()
    if len(items) != 2:
        raise field.error("a range is a list of two: [lowest, highest]")
    return items[0], items[1]


def _domain(name: str, field: Field, known: set[str]) -> Domain:
    entries = field.mapping(optional=(*_KINDS, "step", "spread"))
    kind = next((kind for kind in _KINDS if kind in entries), None)
    if kind is None:
        raise field.error(f"the value {name!r} has no kind: use one of {', '.join(_KINDS)}")
    value = entries[kind]
    step = entries["step"].number() if "step" in entries else None
    domain: Domain
    match kind:
        case "number":
            domain = _number(value, step)
        case "date":
            domain = _day(value)
        case "choice":
            domain = Choice(value.texts())
        case "records":
            domain = Record(_records(name, value))
        case "entity":
            domain = Entity(_one_of(value, value.text(), POOLS, "pool"))
        case "around":
            spread = entries["spread"].integer() if "spread" in entries else 50
            domain = Around(_known(value, known), spread, step or 1)
        case "either":
            domain = Either(_known(value, known))
        case _:
            require_names(value, value.text(), known)
            domain = Computed(value.text())
    return domain


def _number(field: Field, step: int | Decimal | None) -> Number:
    low, high = (end.number() for end in pair(field))
    if step is None and isinstance(low + high, Decimal):
        raise field.error(f"the range [{low}, {high}] has decimals: give a step as well, such as step: 0.5")
    if low > high or (step is not None and step <= 0):
        raise _empty(field, low, high)
    return Number(low, high, 1 if step is None else step)


def _day(field: Field) -> Day:
    first, last = (end.day() for end in pair(field))
    if first > last:
        raise _empty(field, first, last)
    return Day(first, last)


def _empty(field: Field, low: object, high: object) -> ValueError:
    return field.error(f"the range [{low}, {high}] holds nothing: write the smaller end first and a positive step")


def _records(name: str, field: Field) -> tuple[Mapping[str, str], ...]:
    options = tuple({key: item.text() for key, item in option.entries()} for option in field.items())
    for option, item in zip(options, field.items(), strict=True):
        if option.keys() != options[0].keys() or name not in option:
            raise item.error(f"a record of {name!r} has the fields {sorted(options[0])}, {name!r} among them")
    return options


def _known(field: Field, known: set[str]) -> tuple[str, ...]:
    names = field.texts() if field.is_list() else (field.text(),)
    return tuple(_one_of(field, name, known, "value") for name in names)


def _one_of(field: Field, name: str, known: Iterable[str], what: str) -> str:
    if name not in known:
        raise field.error(f"unknown {what} {name!r}: use one of {', '.join(sorted(known))}")
    return name


def _scalar(field: Field) -> Scalar:
    text = field.text()
    for read in (int, Decimal, date.fromisoformat):
        try:
            return read(text)
        except (ValueError, ArithmeticError):
            continue
    return text
