"""Rulebooks: YAML files that state each rule once, and from which unlimited labelled dialogues are made.

A file is a list of rules:

    - id: hotel-limit                     # unique
      topic: travel                       # distractors prefer the same topic
      key: place                          # which value tells two facts of this rule apart (optional)
      about: hotel-limit                  # rules with the same `about` may contradict each other (default: id)
      weight: 2                           # how often, against the others (default 1)
      held_out: false                     # true keeps the whole rule for the `families` suite
      titles: [Travel policy]             # document title > section is the heading of a passage
      sections: [Hotels]
      values:                             # drawn in order, afresh for each dialogue
        place: {entity: city}             # person city role team tool place address group grade
        limit: {number: [80, 300], step: 5}
        start: {date: [2026-01-01, 2028-12-31]}
        colour: {choice: [red, green]}
        thing: {records: [{thing: meals, one: a meal}]}    # each field is a value
        last: {compute: "shift(start, 14, 'd')"}           # + - * // comparisons, shift, days_between, min, max
      table: {rows: [3, 5], head: "| City | Limit |", row: "| [[{place} | {limit:money}]] |", values: {...}}
      policy:                             # the last of three or more is held out; a list is one text per passage
        - "Hotels in {place} are paid [[up to {limit:money} per night]]."
      questions:
        - name: verdict
          inputs:                         # also: {around: limit, spread: 40, step: 1}, {either: [a, b]}
            price: {around: limit}
          phrasings: ["Is a hotel at {price:money} in {place} within the limit?"]
          evidence: [main]                # marks [[label|words]] quoted before the working; unlabelled is `main`
          changed: ["What about {price:money}?"]           # follow-ups with another input
          other_key: ["And in {place}?"]                   # follow-ups about another key
          missing: {phrasings: ["Can I book that hotel in {place}?"], ask: "What does it cost per night?"}
          outcomes:                       # the first whose `when` is true
            - when: price > limit
              working: ["{price} <=> {limit}"]             # `<=>` becomes the true relation, `= ?` the exact result
              answer: "No. {price} is more than {limit}"   # citations and the full stop are added

Every error names file and line.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from importlib import resources
from itertools import chain
from pathlib import Path

from training.expressions import names_in
from training.formats import FORMATS
from training.phrasing import labels, slots
from training.rules import Missing, Outcome, Question, Rule, Table
from training.values import Around, Choice, Computed, Day, Domain, Either, Entity, Number, Record
from training.world import POOLS
from training.yaml_source import Field, documents


def load_rulebooks(paths: Sequence[Path] | None = None) -> tuple[Rule, ...]:
    """Return the rules of rulebook files; None means those that come with Precept.

    Raises:
        ValueError: a mistake in a rulebook, named as file:line with its remedy.
    """
    if paths is None:
        folder = resources.files("training") / "rulebooks"
        sources = [(e.name, e.read_text("utf-8")) for e in folder.iterdir() if e.name.endswith(".yaml")]
        sources.sort()
    else:
        sources = [(str(path), path.read_text("utf-8")) for path in paths]
    rules: dict[str, Rule] = {}
    for name, text in sources:
        for field in documents(text, name).items():
            rule = _rule(field)
            if rule.id in rules:
                raise field.error(f"a second rule has the id {rule.id!r}: give it another")
            rules[rule.id] = rule
    return tuple(rules.values())


def _rule(field: Field) -> Rule:
    entries = field.mapping(
        required=("id", "topic", "titles", "sections", "policy", "questions"),
        optional=("about", "key", "weight", "held_out", "values", "table"),
    )
    rule_id = entries["id"].text()
    values = _domains(entries["values"], {}) if "values" in entries else {}
    table = _table(entries["table"], values) if "table" in entries else None
    known = _names(values) | (_names(table.values) if table else set())
    if "key" in entries and entries["key"].text() not in known:
        raise entries["key"].error(f"the key {entries['key'].text()!r} is not a value of this rule: add it to values")
    all_values = {**values, **(table.values if table else {})}
    policy, marks = _policy(entries["policy"], known, table)
    return Rule(
        id=rule_id,
        about=entries["about"].text() if "about" in entries else rule_id,
        topic=entries["topic"].text(),
        key=entries["key"].text() if "key" in entries else None,
        weight=entries["weight"].integer() if "weight" in entries else 1,
        held_out=entries["held_out"].flag() if "held_out" in entries else False,
        titles=entries["titles"].texts(),
        sections=entries["sections"].texts(),
        values=values,
        table=table,
        policy=policy,
        questions=tuple(_question(item, all_values, marks) for item in entries["questions"].items()),
    )


def _policy(field: Field, known: set[str], table: Table | None) -> tuple[tuple[tuple[str, ...], ...], set[str]]:
    """Return the policy texts and the marks that every one of them has."""
    policy: list[tuple[str, ...]] = []
    shared: set[str] | None = None
    for item in field.items():
        parts = tuple(part.text() for part in item.items()) if item.is_list() else (item.text(),)
        for part in parts:
            _require_slots(item, part, known | ({"table"} if table else set()))
        marks = set().union(*(labels(part) for part in parts)) | (labels(table.row) if table else set())
        if shared is not None and marks != shared:
            raise item.error(f"this text marks {sorted(marks)}, the first one {sorted(shared)}: mark the same evidence")
        shared = marks
        policy.append(parts)
    return tuple(policy), shared or set()


def _question(field: Field, values: Mapping[str, Domain], marks: set[str]) -> Question:
    entries = field.mapping(
        required=("name", "phrasings", "outcomes"),
        optional=("inputs", "evidence", "changed", "other_key", "missing"),
    )
    inputs = _domains(entries["inputs"], values) if "inputs" in entries else {}
    known = _names(values) | _names(inputs)
    evidence = entries["evidence"].texts() if "evidence" in entries else ("main",)
    for label in evidence:
        if label not in marks:
            raise field.error(f"the evidence {label!r} is not marked in the policy text: mark it [[{label}|...]]")
    return Question(
        name=entries["name"].text(),
        inputs=inputs,
        phrasings=_templates(entries["phrasings"], known),
        outcomes=tuple(_outcome(item, known) for item in entries["outcomes"].items()),
        evidence=evidence,
        changed=_templates(entries["changed"], known) if "changed" in entries else (),
        other_key=_templates(entries["other_key"], known) if "other_key" in entries else (),
        missing=_missing(entries["missing"], known) if "missing" in entries else None,
    )


def _missing(field: Field, known: set[str]) -> Missing:
    entries = field.mapping(required=("phrasings", "ask"))
    ask = _templates(entries["ask"], known)[0]
    if not ask.endswith("?"):
        raise entries["ask"].error(f"{ask!r} is not a question: end it with a question mark")
    return Missing(_templates(entries["phrasings"], known), ask)


def _outcome(field: Field, known: set[str]) -> Outcome:
    entries = field.mapping(required=("answer",), optional=("when", "working"))
    when = entries["when"].text() if "when" in entries else "True"
    if "when" in entries:
        _require_names(entries["when"], when, known)
    answer = _templates(entries["answer"], known)[0]
    if answer.endswith((".", "]")):
        raise entries["answer"].error(f"the answer {answer!r} is closed already: leave full stop and citations out")
    return Outcome(when, _templates(entries["working"], known) if "working" in entries else (), answer)


def _table(field: Field, values: Mapping[str, Domain]) -> Table:
    entries = field.mapping(required=("rows", "row", "values"), optional=("head",))
    low, high = _pair(entries["rows"])
    columns = _domains(entries["values"], values)
    _require_slots(entries["row"], entries["row"].text(), _names(values) | _names(columns))
    head = entries["head"].text() if "head" in entries else ""
    return Table(low.integer(), high.integer(), head, entries["row"].text(), columns)


def _templates(field: Field, known: set[str]) -> tuple[str, ...]:
    items = field.items() if field.is_list() else [field]
    for item in items:
        _require_slots(item, item.text(), known)
    return tuple(item.text() for item in items)


def _require_slots(field: Field, template: str, known: set[str]) -> None:
    for name, form in slots(template):
        if name not in known:
            raise field.error(f"{{{name}}} is not a value: add it to values or inputs")
        if form and form not in FORMATS:
            raise field.error(f"unknown format {form!r}: use one of {', '.join(FORMATS)}")


def _require_names(field: Field, expression: str, known: set[str]) -> None:
    try:
        unknown = names_in(expression) - known
    except ValueError as error:
        raise field.error(str(error)) from error
    if unknown:
        raise field.error(f"{sorted(unknown)[0]!r} is not a value: add it to values or inputs")


def _names(domains: Mapping[str, Domain]) -> set[str]:
    fields = (d.options[0].keys() for d in domains.values() if isinstance(d, Record))
    return set(domains) | set(chain.from_iterable(fields))


def _domains(field: Field, outer: Mapping[str, Domain]) -> dict[str, Domain]:
    found: dict[str, Domain] = {}
    for name, item in field.entries():
        known = _names(outer) | _names(found)
        found[name] = _domain(name, item, known)
    return found


def _domain(name: str, field: Field, known: set[str]) -> Domain:
    kinds = ("number", "date", "choice", "records", "entity", "around", "either", "compute")
    entries = field.mapping(optional=(*kinds, "step", "spread"))
    kind = next((kind for kind in kinds if kind in entries), None)
    if kind is None:
        raise field.error(f"the value {name!r} has no kind: use one of {', '.join(kinds)}")
    value = entries[kind]
    step = entries["step"].integer() if "step" in entries else 1
    match kind:
        case "number" | "date":
            return _range(kind, value, step)
        case "choice":
            return Choice(value.texts())
        case "records":
            return Record(_records(name, value))
        case "entity":
            return Entity(_one_of(value, value.text(), POOLS, "pool"))
        case "around" | "either":
            names = _known(value, known)
            spread = entries["spread"].integer() if "spread" in entries else 50
            return Around(names, spread, step) if kind == "around" else Either(names)
    _require_names(value, value.text(), known)
    return Computed(value.text())


def _range(kind: str, field: Field, step: int) -> Number | Day:
    first, last = _pair(field)
    low, high = (first.integer(), last.integer()) if kind == "number" else (first.day(), last.day())
    if isinstance(low, date) and isinstance(high, date) and low <= high:
        return Day(low, high)
    if isinstance(low, int) and isinstance(high, int) and low <= high and step > 0:
        return Number(low, high, step)
    raise field.error(f"the range [{low}, {high}] holds nothing: write the smaller end first and a positive step")


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


def _pair(field: Field) -> tuple[Field, Field]:
    items = field.items()
    if len(items) != 2:
        raise field.error("a range is a list of two: [lowest, highest]")
    return items[0], items[1]
