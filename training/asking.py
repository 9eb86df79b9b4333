"""One exchange about one fact: a question that is answered, refused, or answered by a question."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reasoning_core.prompt import Passage
from reasoning_core.response import REFUSAL
from training.expressions import Scalar, evaluate, names_in
from training.facts import Fact, one_phrasing
from training.instructions import Exchange
from training.phrasing import render, slots, with_citations, working_line
from training.rules import Question
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
    bindings = {**fact.bindings, **inputs}
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
        passages, render(template, {**absent.bindings, **inputs}), (), REFUSAL, "refusal", absent.rule.id
    )
    return exchange, Asked(absent, question, inputs)


def asked_back(scene: Scene, fact: Fact, question: Question, passages: tuple[Passage, ...]) -> tuple[Exchange, Asked]:
    """Leave an input of the question out, so that it has to be asked for; what was said of the others is kept."""
    assert question.missing is not None
    bindings = {**fact.bindings, **draw_inputs(scene, fact, question, {})}
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


def draw_inputs(scene: Scene, fact: Fact, question: Question, known: Mapping[str, Scalar]) -> dict[str, Scalar]:
    drawn = draw_all(question.inputs, {**fact.bindings, **known}, scene.rng, scene.side, fact.rule.id)
    return {name: value for name, value in drawn.items() if name not in fact.bindings}


def some_question(fact: Fact, rng: random.Random) -> Question:
    return rng.choice(fact.rule.questions)


def _response(
    numbers: Mapping[tuple[int, int], int], fact: Fact, question: Question, bindings: Mapping[str, Scalar]
) -> tuple[tuple[str, ...], str]:
    """Return working and answer: the evidence quoted, the steps, then what the first true condition decides."""
    outcome = next((o for o in question.outcomes if evaluate(o.when, bindings)), None)
    if outcome is None:
        raise ValueError(f"no outcome of question {question.name!r} of rule {fact.rule.id!r} applies to {bindings}")
    evidence = [fact.evidence[label] for label in question.evidence]
    cited = [numbers[fact.source.number, place.part] for place in evidence]
    quotes = [f'"{place.words}" [{n}]' for place, n in zip(evidence, cited, strict=True)]
    steps = [working_line(line, bindings) for line in outcome.working]
    return (*dict.fromkeys(quotes), *steps), with_citations(render(outcome.answer, bindings), cited)


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
