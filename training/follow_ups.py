"""How a conversation goes on: another input or key in few words, a correction, a value given when asked for it,
another question about the same passages, a new passage, or what is not there."""

import re
from collections.abc import Callable, Sequence

from training.asking import (
    Asked,
    answerable,
    answered,
    asked_back,
    carries_over,
    completes,
    kept,
    refused,
    some_question,
    unchanged,
)
from training.facts import Fact, of_side, one_phrasing
from training.instructions import Exchange
from training.rules import Question
from training.scene import Scene

_ELLIPSIS = re.compile(
    r"(?:And(?: if it (?:is|was))?|What about|How about|It is|It was)"
    r" ((?:(?:for|in|on|at|with) )?\{\w+(?::\w+)?\}(?: [\w%{}:]+){0,2})[?.]"
)
_PREPOSITION = re.compile(r"(?:for|in|on|at|with) ")
_CORRECTIONS = (
    "Sorry, I meant {}.",
    "No, {}.",
    "I meant {}.",
    "Correction: {}.",
    "Sorry, {}.",
    "Wait, {}.",
    "Oh, I meant {}, sorry.",
)
_TRIES = 5

Step = tuple[Exchange, Asked]


def follow_up(scene: Scene, last: Asked) -> Step:
    """Return the next exchange of a conversation whose last exchange was about `last`."""
    rng, shown = scene.rng, last.fact in scene.facts
    if shown and not last.answered and (templates := _completing(scene, last)) and rng.random() < 0.9:
        return _given(scene, last, rng.choice(templates))
    chance = rng.random()
    if chance < 0.15:
        return _refused(scene, last)
    if chance < 0.26 and (open_questions := _with_missing(scene)):
        fact, question = rng.choice(open_questions)
        return asked_back(scene, fact, question, ())
    if chance < 0.38:
        facts, passages = scene.add(scene.library.pick(last.fact.rule.topic, rng))
        if facts:
            fact = rng.choice(facts)
            return answered(scene, fact, some_question(fact, rng), passages)
    return rng.choice(_ways(scene, last, shown))()


def _ways(scene: Scene, last: Asked, shown: bool) -> list[Callable[[], Step]]:
    ways: list[Callable[[], Step]] = [lambda: _elsewhere(scene, last.fact)] * 3
    changed = of_side(last.question.changed, scene.side.phrasings)
    if shown and last.answered and changed:
        ways += [lambda: _changed(scene, last, scene.rng.choice(changed))] * 2
        if short := _short(changed):
            ways.append(lambda: _changed(scene, last, scene.rng.choice(_CORRECTIONS).format(scene.rng.choice(short))))
    siblings = [
        fact
        for fact in scene.facts
        if fact.rule is last.fact.rule and fact.thing != last.fact.thing and answerable(fact, last.inputs)
    ]
    if last.answered and siblings and (templates := _other_key_templates(last.question)):
        ways += [lambda: _other_key(scene, last, scene.rng.choice(siblings), templates)] * 3
    return ways


def _short(templates: Sequence[str]) -> list[str]:
    """Return what remains of elliptical follow-ups without their opening: `{amount:money}`, `in {place}`."""
    return [match[1] for template in templates if (match := _ELLIPSIS.fullmatch(template))]


def _completing(scene: Scene, last: Asked) -> list[str]:
    """Return the replies to a question back that give what it asked for, in a sentence or as a bare value."""
    if last.question.missing is None:
        return []
    changed = of_side(last.question.changed, scene.side.phrasings)
    bare = [_PREPOSITION.sub("", short) for short in _short(changed)]
    replies = [*changed, *(form for short in bare for form in (short, f"{short}."))]
    return [template for template in replies if completes(template, last)]


def _given(scene: Scene, last: Asked, template: str) -> Step:
    return answered(scene, last.fact, last.question, (), template, last.inputs)


def _changed(scene: Scene, last: Asked, template: str) -> Step:
    """Ask the same with another input; nobody repeats the value just given, so that one is drawn again."""
    for _ in range(_TRIES):
        exchange, asked = answered(scene, last.fact, last.question, (), template, unchanged(template, last))
        if asked.inputs != last.inputs:
            break
    return exchange, asked


def _other_key_templates(question: Question) -> list[str]:
    return [template for template in question.other_key if carries_over(template, question)]


def _other_key(scene: Scene, last: Asked, fact: Fact, templates: Sequence[str]) -> Step:
    return answered(scene, fact, last.question, (), _about_another(scene, templates), kept(last))


def _about_another(scene: Scene, templates: Sequence[str]) -> str:
    """Return a follow-up about another key, now and then as a correction of the one before."""
    short = _short(of_side(templates, scene.side.phrasings))
    if short and scene.rng.random() < 0.25:
        return scene.rng.choice(_CORRECTIONS).format(scene.rng.choice(short))
    return one_phrasing(templates, scene.rng, scene.side.phrasings)


def _elsewhere(scene: Scene, last: Fact) -> Step:
    """Ask about another fact that is shown, or something else about this one; not what was asked in so many words."""
    fresh = [(fact, questions) for fact in scene.facts if (questions := _not_asked(scene, fact))]
    elsewhere = [(fact, questions) for fact, questions in fresh if fact is not last]
    everything = [(fact, fact.rule.questions) for fact in scene.facts]
    fact, questions = scene.rng.choice(elsewhere or fresh or everything)
    return answered(scene, fact, scene.rng.choice(questions), ())


def _not_asked(scene: Scene, fact: Fact) -> Sequence[Question]:
    """Return the questions about a fact that were not answered yet; another input makes another question."""
    return [q for q in fact.rule.questions if q.inputs or (fact.identity, q.name) not in scene.answered]


def _with_missing(scene: Scene) -> list[tuple[Fact, Question]]:
    """Return the questions that can lack an input, of rules for which the conversation has named none yet."""
    return [
        (fact, question)
        for fact in scene.facts
        if fact.rule.about not in scene.discussed
        for question in fact.rule.questions
        if question.missing
    ]


def _refused(scene: Scene, last: Asked) -> Step:
    absent = scene.absent(last.fact.rule)
    if absent is None:
        return _elsewhere(scene, last.fact)
    if absent.rule is last.fact.rule and last.answered and (templates := _other_key_templates(last.question)):
        return refused(scene, absent, last.question, (), _about_another(scene, templates), kept(last))
    return refused(scene, absent, some_question(absent, scene.rng), ())
