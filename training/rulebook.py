"""Rulebooks: YAML files that state each rule once, and from which unlimited labelled dialogues are made.

`training/rulebooks/README.md` shows how to write one. A file is a list of rules:

    - id: hotel-limit                     # unique
      topic: travel                       # distractors prefer the same topic
      key: place                          # which value tells two facts of this rule apart (optional)
      about: hotel-limit                  # rules with the same `about` may contradict each other (default: id)
      weight: 2                           # how often, against the others (default 1)
      held_out: false                     # true keeps the whole rule for the `families` suite
      titles: [Travel policy]             # document title > section is the heading of a passage
      sections: [Hotels]
      parameters: {season: summer}        # named constants, the same in every dialogue
      values:                             # drawn in order, afresh for each dialogue
        place: {entity: city}             # person city role team tool place address group grade
        limit: {number: [80, 300], step: 5}                # decimals as well: {number: [0.50, 9.50], step: 0.50}
        start: {date: [2026-01-01, 2028-12-31]}
        colour: {choice: [red, green]}
        thing: {records: [{thing: meals, one: a meal}]}    # each field is a value
        last: {compute: "shift(start, 14, 'd')"}           # + - * / // comparisons, shift, days_between, min, max
      table: {rows: [3, 5], head: "| City | Limit |", row: "| [[{place} | {limit:money}]] |", values: {...}}
      versions:                           # or: two or more versions of the rule; the day asked about decides
        start: [2025-01-01, 2028-06-30]   # when each takes effect: {start} in its text, marked [[start|...]]
        count: [2, 3]
        values: {rate: {number: [20, 90]}}                 # drawn for each version; questions name the {day}
      policy:                             # the last of three or more is held out; a list is one text per passage
        - "Hotels in {place} are paid [[up to {limit:money} per night]]."
      exceptions:                         # each stands beside the rule in some dialogues, and then overrides it
        - name: fair
          when: reason == 'a fair'
          text: ["[[There is no limit during fairs]]."]
          questions: [verdict]            # whose answers it overrides (default: all)
          working: []                     # lines that test it, written whether it applies or not
          answer: "Yes. There is no limit during fairs"
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

Slots take the formats of `training.formats`: {x:money} {x:eur} {x:gbp} {x:percent} {x:days} {x:km} {x:date} {x:cap}.
Every error names file and line.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from training.rulebook_policy import policy, table_of, versions_of
from training.rulebook_questions import override, question
from training.rulebook_values import constants, domains, names_of
from training.rules import DAY, START, Override, Question, Rule, Versions
from training.values import Domain
from training.yaml_source import Field, documents

_REQUIRED = ("id", "topic", "titles", "sections", "policy", "questions")
_OPTIONAL = ("about", "key", "weight", "held_out", "parameters", "values", "table", "versions", "exceptions")


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
    entries = field.mapping(required=_REQUIRED, optional=_OPTIONAL)
    rule_id = entries["id"].text()
    parameters = constants(entries["parameters"]) if "parameters" in entries else {}
    values = {**parameters, **(domains(entries["values"], parameters) if "values" in entries else {})}
    table = table_of(entries["table"], values) if "table" in entries else None
    versions = _versions(entries, values)
    inner: Mapping[str, Domain] = table.values if table else versions.values if versions else {}
    known = names_of(values) | names_of(inner)
    if "key" in entries and entries["key"].text() not in known:
        raise entries["key"].error(f"the key {entries['key'].text()!r} is not a value of this rule: add it to values")
    versioned = versions is not None
    texts, marks = policy(entries["policy"], known | ({START} if versioned else set()), table, versioned=versioned)
    all_values = {**values, **inner}
    items = entries["questions"].items()
    questions = tuple(question(item, all_values, marks, versioned=versioned) for item in items)
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
        versions=versions,
        policy=texts,
        exceptions=_exceptions(entries, values, questions, marks),
        questions=questions,
    )


def _versions(entries: Mapping[str, Field], values: Mapping[str, Domain]) -> Versions | None:
    if "versions" not in entries:
        return None
    field = entries["versions"]
    for name in ("table", "exceptions"):
        if name in entries:
            raise field.error(f"a rule has either versions or {name}: write two rules")
    found = versions_of(field, values)
    taken = {START, DAY} & (names_of(values) | names_of(found.values))
    if taken:
        raise field.error(f"{sorted(taken)[0]!r} is the name of a date that versions bring: rename the value")
    return found


def _exceptions(
    entries: Mapping[str, Field], values: Mapping[str, Domain], questions: Sequence[Question], marks: set[str]
) -> tuple[Override, ...]:
    if "exceptions" not in entries:
        return ()
    found: list[Override] = []
    for item in entries["exceptions"].items():
        exception = override(item, values, questions)
        if exception.name in marks | {other.name for other in found}:
            raise item.error(f"the mark {exception.name!r} exists already: give the exception another name")
        found.append(exception)
    return tuple(found)
