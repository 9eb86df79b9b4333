"""One exchange about one fact: a question that is answered, refused, or answered by a question."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reasoning_core.prompt import Passage
from reasoning_core.response import REFUSAL
from training.editions import asked_day
from training.expressions import Scalar, evaluate, names_in
from training.facts import Evidence, Fact, one_phrasing
from training.instructions import Exchange
from training.phrasing import render, slots, with_citations, working_line
from training.rules import DAY, START, Question
from training.scene import Scene
from training.values import Around, Computed, Either, Record, draw_all


@dataclass(frozen=True, slots=True)
class Asked:
    """What the last exchange was about, for follow-ups; `answered` is False behind a question back."""

    fact: Fact
    question: Question
    inputs: Mapping[str, Scalar]
    answered: bool = True


def answered(
    scene: Scene,
    fact: Fact,
    question: Question,
    passages: tuple[Passage, ...],
    template: str | None = None,
    known: Mapping[str, Scalar] | None = None,
) -> tuple[Exchange, Asked]:
    """Ask about a fact that is shown; inputs in `known` keep their values, the others are drawn."""
    inputs = draw_inputs(scene, fact, question, known or {})
    scene.discussed.add(fact.rule.about)
    scene.answered.add((fact.identity, question.name))
    bindings = {**_base(fact, inputs), **inputs}
    asked = render(template or one_phrasing(question.phrasings, scene.rng, scene.side.phrasings), bindings)
    working, answer = _response(scene.numbers, fact, question, bindings)
    return Exchange(passages, asked, working, answer, "answer", fact.rule.id), Asked(fact, question, inputs)


def refused(
    scene: Scene,
    absent: Fact,
    question: Question,
    passages: tuple[Passage, ...],
    template: str | None = None,
    known: Mapping[str, Scalar] | None = None,
) -> tuple[Exchange, Asked]:
    """Ask about a fact that is not shown."""
    inputs = draw_inputs(scene, absent, question, known or {})
    scene.discussed.add(absent.rule.about)
    template = template or one_phrasing(question.phrasings, scene.rng, scene.side.phrasings)
    exchange = Exchange(
        passages, render(template, {**_base(absent, inputs), **inputs}), (), REFUSAL, "refusal", absent.rule.id
    )
    return exchange, Asked(absent, question, inputs)


def asked_back(scene: Scene, fact: Fact, question: Question, passages: tuple[Passage, ...]) -> tuple[Exchange, Asked]:
    """Leave an input of the question out, so that it has to be asked for; what was said of the others is kept."""
    assert question.missing is not None
    inputs = draw_inputs(scene, fact, question, {})
    bindings = {**_base(fact, inputs), **inputs}
    template = one_phrasing(question.missing.phrasings, scene.rng, scene.side.phrasings)
    ask = render(question.missing.ask, bindings)
    exchange = Exchange(passages, render(template, bindings), (), ask, "question", fact.rule.id)
    told = _together(_names(template), question)
    return exchange, Asked(fact, question, {name: bindings[name] for name in told}, answered=False)


def completes(template: str, last: Asked) -> bool:
    """Tell whether a follow-up says everything that the question asked back still lacks."""
    return _said(last.question) <= _together(_names(template), last.question) | last.inputs.keys()


def unchanged(template: str, last: Asked) -> dict[str, Scalar]:
    """Return the inputs that a follow-up leaves as they were: those it does not say and does not depend on."""
    changed = _behind(_names(template), last.question)
    computed = {name for name, domain in last.question.inputs.items() if isinstance(domain, Computed)}
    return {name: value for name, value in last.inputs.items() if name not in changed | computed}


def kept(last: Asked) -> dict[str, Scalar]:
    """Return the inputs that stay what they are when the fact is another."""
    derived = {name for name, domain in last.question.inputs.items() if isinstance(domain, Computed | Either)}
    return {name: value for name, value in last.inputs.items() if name not in derived}


def carries_over(template: str, question: Question) -> bool:
    """Tell whether a follow-up about another fact has all it needs: what was said, or what it says itself."""
    derived = {name for name, domain in question.inputs.items() if isinstance(domain, Computed | Either)}
    return _said(question) & derived <= _names(template)


def answerable(fact: Fact, inputs: Mapping[str, Scalar]) -> bool:
    """Tell whether a fact holds for inputs kept from another question: a version of it must be in force."""
    return not fact.editions or DAY not in inputs or fact.edition_on(inputs[DAY]) is not None


def draw_inputs(scene: Scene, fact: Fact, question: Question, known: Mapping[str, Scalar]) -> dict[str, Scalar]:
    if fact.editions and DAY not in known:
        known = {**known, DAY: asked_day(fact.editions, scene.rng)}
    base = _base(fact, known)
    drawn = draw_all(question.inputs, {**base, **known}, scene.rng, scene.side, fact.rule.id)
    return {name: value for name, value in drawn.items() if name not in base}


def _base(fact: Fact, inputs: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
    """Return the values of a fact, with those of the version in force (before the first, that one)."""
    if not fact.editions:
        return fact.bindings
    return (fact.edition_on(inputs.get(DAY)) or fact.editions[0]).bindings


def some_question(fact: Fact, rng: random.Random) -> Question:
    return rng.choice(fact.rule.questions)


def _response(
    numbers: Mapping[tuple[int, int], int], fact: Fact, question: Question, bindings: Mapping[str, Scalar]
) -> tuple[tuple[str, ...], str]:
    """Return working and answer: the evidence quoted, the steps, then what decides."""
    places, tests = _evidence(fact, question, bindings)
    lines, answer = _decision(fact, question, bindings)
    cited = [numbers[fact.source.number, place.part] for place in places]
    quotes = [f'"{place.words}" [{n}]' for place, n in zip(places, cited, strict=True)]
    steps = [working_line(line, bindings) for line in (*tests, *lines)]
    return (*dict.fromkeys(quotes), *dict.fromkeys(steps)), with_citations(render(answer, bindings), cited)


def _evidence(
    fact: Fact, question: Question, bindings: Mapping[str, Scalar]
) -> tuple[Sequence[Evidence], Sequence[str]]:
    """Return the places to quote, and the lines that tell which version is in force."""
    edition = fact.edition_on(bindings.get(DAY))
    if edition is None:
        stated = [fact.evidence[e.name] for e in fact.exceptions if question.name in e.questions]
        return [*(fact.evidence[label] for label in question.evidence), *stated], ()
    following = fact.edition_after(edition)
    borders = [edition, *([following] if following else [])]
    quoted = [edition.evidence[label] for label in question.evidence]
    tests = [f"{bindings[DAY]} <=> {border.start}" for border in borders]
    return [*quoted, *(border.evidence[START] for border in borders)], tests


def _decision(fact: Fact, question: Question, bindings: Mapping[str, Scalar]) -> tuple[Sequence[str], str]:
    """Return the lines and the answer of the first exception that applies, or of the first outcome that does."""
    tests: list[str] = []
    for exception in fact.exceptions:
        if question.name in exception.questions:
            tests += exception.working
            if evaluate(exception.when, bindings):
                return tests, exception.answer
    outcome = next((o for o in question.outcomes if evaluate(o.when, bindings)), None)
    if outcome is None:
        raise ValueError(f"no outcome of question {question.name!r} of rule {fact.rule.id!r} applies to {bindings}")
    return [*tests, *outcome.working], outcome.answer


def _names(template: str) -> set[str]:
    return {name for name, _ in slots(template)}


def _said(question: Question) -> set[str]:
    """Return the inputs that every phrasing of a question says."""
    return set.intersection(*(_together(_names(phrasing), question) for phrasing in question.phrasings))


def _together(names: set[str], question: Question) -> set[str]:
    """Return the inputs among `names`, with all that belong to the same record."""
    found = names & question.inputs.keys()
    for domain in question.inputs.values():
        if isinstance(domain, Record) and names & domain.options[0].keys():
            found |= domain.options[0].keys()
    return found


def _behind(names: set[str], question: Question) -> set[str]:
    """Return `names` and every input that they are drawn from."""
    reached: set[str] = set()
    waiting: list[str] = list(_together(names, question))
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        waiting += _sources(question, name)
    return reached


def _sources(question: Question, name: str) -> Sequence[str]:
    match question.inputs.get(name):
        case Computed(expression):
            return sorted(names_in(expression))
        case Around(names) | Either(names):
            return names
    return ()
