"""From rules to labelled dialogues, the same ones for the same rules, split, seed and index.

The split `train` never shows a held-out value, entity, phrasing or rule. The other splits are suites, each of which
holds one thing back: `values`, `entities`, `phrasings` and `families`; `turns`, `refusal`, `ask-back` and
`counterfactual` use held-out values. The dialogues of `counterfactual` come in pairs: the second asks the same of the
same passages after the fact that decides was edited, and its answer differs.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reasoning_core.prompt import Passage
from reasoning_core.response import REFUSAL
from training.drills import comparison_drill
from training.expressions import Scalar, evaluate
from training.facts import Fact, one_phrasing, realise, word
from training.instructions import Dialogue, Exchange
from training.phrasing import render, with_citations, working_line
from training.rules import Question, Rule
from training.scene import Scene
from training.values import Computed, Either, Number, Side, draw_all

SIDES: Mapping[str, Side] = {
    "train": Side(),
    "values": Side(values=True),
    "entities": Side(entities=True),
    "phrasings": Side(phrasings=True),
    "families": Side(),
    "turns": Side(values=True),
    "refusal": Side(values=True),
    "ask-back": Side(values=True),
    "counterfactual": Side(values=True),
}
_DRILL_SHARE = 0.03
_TRIES = 40


@dataclass(frozen=True, slots=True)
class Asked:
    """What the last exchange was about, for follow-ups; `answered` is False behind a question back."""

    fact: Fact
    question: Question
    inputs: Mapping[str, Scalar]
    answered: bool = True


def generate(rules: Sequence[Rule], count: int, seed: int, split: str) -> Iterator[Dialogue]:
    """Yield `count` dialogues.

    Raises:
        ValueError: an unknown split, or no rule for it.
    """
    if split not in SIDES:
        raise ValueError(f"unknown split {split!r}: use one of {', '.join(SIDES)}")
    held_out = split == "families"
    asked = [rule for rule in rules if rule.held_out == held_out]
    others = [rule for rule in rules if not rule.held_out] or asked
    if not asked:
        raise ValueError(f"no rule is {'held out' if held_out else 'for training'}: the split {split!r} would be empty")
    for index in range(count):
        yield _dialogue(asked, others, f"{split}-{seed}-{index}", split, seed, index)


def _dialogue(
    asked: Sequence[Rule], others: Sequence[Rule], dialogue_id: str, split: str, seed: int, index: int
) -> Dialogue:
    side = SIDES[split]
    if split == "counterfactual":
        return _counterfactual(asked, others, dialogue_id, f"{seed}/{split}/{index // 2}", index % 2 == 1)
    rng = random.Random(f"{seed}/{split}/{index}")
    if split == "train" and rng.random() < _DRILL_SHARE:
        return Dialogue(dialogue_id, "comparison-drill", split, ("auxiliary",), comparison_drill(rng))
    scene = Scene(others, rng, side)
    rule = rng.choices(asked, [rule.weight for rule in asked])[0]
    exchanges, last = _first(scene, rule, _first_kind(split, rng))
    for _ in range(_num_follow_ups(split, rng)):
        exchange, last = _follow_up(scene, last)
        exchanges.append(exchange)
    tags = tuple(dict.fromkeys(e.kind for e in exchanges if e.kind != "answer"))
    return Dialogue(dialogue_id, rule.id, split, tags, tuple(exchanges))


def _first_kind(split: str, rng: random.Random) -> str:
    if split in ("refusal", "ask-back"):
        return split
    chance = rng.random()
    return "refusal" if chance < 0.11 else "ask-back" if chance < 0.2 else "answer"


def _num_follow_ups(split: str, rng: random.Random) -> int:
    if split == "turns":
        return rng.randint(2, 3)
    return 0 if split in ("refusal", "ask-back") else rng.choice((0, 0, 0, 1, 1, 1, 2, 2, 3))


def _first(scene: Scene, rule: Rule, kind: str) -> tuple[list[Exchange], Asked]:
    rng = scene.rng
    if kind == "ask-back" and not any(q.missing for q in rule.questions):
        with_missing = [r for r in scene.rules if any(q.missing for q in r.questions)]
        rule = rng.choice(with_missing) if with_missing else rule
    facts = scene.invent(rule)
    fact = rng.choice(facts)
    if kind == "refusal":
        # The near miss: the rule is shown, if it has a key, with every key but the one that is asked for.
        passages = scene.open([] if rule.key is None or rng.random() < 0.3 else facts)
        absent = scene.absent(rule) if scene.facts else None
        if absent is not None:
            question = rng.choice(absent.rule.questions)
            return [_refused(scene, absent, question, passages)], Asked(absent, question, {}, answered=False)
    else:
        passages = scene.open(facts)
    if fact not in scene.facts:
        fact = rng.choice(scene.facts)
    if kind == "ask-back" and (asking := [q for q in fact.rule.questions if q.missing]):
        question = rng.choice(asking)
        return [_asked_back(scene, fact, question, passages)], Asked(fact, question, {}, answered=False)
    exchange, asked = _answered(scene, fact, rng.choice(fact.rule.questions), passages)
    return [exchange], asked


def _follow_up(scene: Scene, last: Asked) -> tuple[Exchange, Asked]:
    """Ask on: another input, another key, another fact, a new passage, or what is not there."""
    rng, shown = scene.rng, last.fact in scene.facts
    if shown and not last.answered and last.question.changed:
        return _changed(scene, last)
    siblings = [f for f in scene.facts if f.rule is last.fact.rule and f.identity != last.fact.identity]
    ways: list[Callable[[], tuple[Exchange, Asked]]] = [lambda: _elsewhere(scene, last.fact)]
    if shown and last.question.changed:
        ways += [lambda: _changed(scene, last)] * 3
    if last.answered and last.question.other_key and siblings:
        ways += [lambda: _other_key(scene, last, rng.choice(siblings))] * 3
    if rng.random() < 0.14:
        return _follow_up_refused(scene, last)
    if rng.random() < 0.15:
        facts, passages = scene.add(scene.pick(last.fact.rule.topic))
        if facts:
            fact = rng.choice(facts)
            return _answered(scene, fact, rng.choice(fact.rule.questions), passages)
    return rng.choice(ways)()


def _changed(scene: Scene, last: Asked) -> tuple[Exchange, Asked]:
    template = one_phrasing(last.question.changed, scene.rng, scene.side.phrasings)
    return _answered(scene, last.fact, last.question, (), template)


def _other_key(scene: Scene, last: Asked, fact: Fact) -> tuple[Exchange, Asked]:
    template = one_phrasing(last.question.other_key, scene.rng, scene.side.phrasings)
    return _answered(scene, fact, last.question, (), template, _kept(last.question, last.inputs))


def _elsewhere(scene: Scene, last: Fact) -> tuple[Exchange, Asked]:
    fact = scene.rng.choice([fact for fact in scene.facts if fact is not last] or scene.facts)
    keyed = fact.rule.key is not None and sum(f.identity[1] == fact.identity[1] for f in scene.facts) == 1
    if keyed and scene.rng.random() < 0.12:
        return _pointed_out(scene, fact)
    return _answered(scene, fact, scene.rng.choice(fact.rule.questions), ())


def _follow_up_refused(scene: Scene, last: Asked) -> tuple[Exchange, Asked]:
    absent = scene.absent(last.fact.rule)
    if absent is None:
        return _elsewhere(scene, last.fact)
    if absent.rule is last.fact.rule and last.answered and last.question.other_key:
        template = one_phrasing(last.question.other_key, scene.rng, scene.side.phrasings)
        inputs = _kept(last.question, last.inputs)
        exchange = Exchange((), render(template, {**absent.bindings, **inputs}), (), REFUSAL, "refusal", absent.rule.id)
        return exchange, Asked(absent, last.question, inputs)
    question = scene.rng.choice(absent.rule.questions)
    return _refused(scene, absent, question, ()), Asked(absent, question, {}, answered=False)


def _answered(
    scene: Scene,
    fact: Fact,
    question: Question,
    passages: tuple[Passage, ...],
    template: str | None = None,
    known: Mapping[str, Scalar] | None = None,
) -> tuple[Exchange, Asked]:
    inputs = _inputs(scene, fact, question, known or {})
    bindings = {**fact.bindings, **inputs}
    asked = render(template or one_phrasing(question.phrasings, scene.rng, scene.side.phrasings), bindings)
    working, answer = _response(scene.numbers, fact, question, bindings)
    return Exchange(passages, asked, working, answer, "answer", fact.rule.id), Asked(fact, question, inputs)


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


def _pointed_out(scene: Scene, fact: Fact) -> tuple[Exchange, Asked]:
    """Ask which passage speaks of something: an easy task that teaches to look."""
    place = next(iter(fact.evidence.values()))
    n = scene.numbers[fact.source.number, place.part]
    phrasing = scene.rng.choice(
        ("Which passage speaks of {}?", "Where do I read about {}?", "Which passage is about {}?")
    )
    question = phrasing.format(fact.identity[1])
    exchange = Exchange((), question, (f'"{place.words}" [{n}]',), f"Passage {n} [{n}].", "answer", "auxiliary")
    return exchange, Asked(fact, fact.rule.questions[0], {}, answered=False)


def _refused(scene: Scene, absent: Fact, question: Question, passages: tuple[Passage, ...]) -> Exchange:
    bindings = {**absent.bindings, **_inputs(scene, absent, question, {})}
    asked = render(one_phrasing(question.phrasings, scene.rng, scene.side.phrasings), bindings)
    return Exchange(passages, asked, (), REFUSAL, "refusal", absent.rule.id)


def _asked_back(scene: Scene, fact: Fact, question: Question, passages: tuple[Passage, ...]) -> Exchange:
    assert question.missing is not None
    asked = render(one_phrasing(question.missing.phrasings, scene.rng, scene.side.phrasings), fact.bindings)
    return Exchange(passages, asked, (), render(question.missing.ask, fact.bindings), "question", fact.rule.id)


def _inputs(scene: Scene, fact: Fact, question: Question, known: Mapping[str, Scalar]) -> dict[str, Scalar]:
    drawn = draw_all(question.inputs, {**fact.bindings, **known}, scene.rng, scene.side, fact.rule.id)
    return {name: value for name, value in drawn.items() if name not in fact.bindings}


def _kept(question: Question, inputs: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return the inputs that stay what they are when the fact is another."""
    derived = {name for name, domain in question.inputs.items() if isinstance(domain, Computed | Either)}
    return {name: value for name, value in inputs.items() if name not in derived}


def _counterfactual(
    asked: Sequence[Rule], others: Sequence[Rule], dialogue_id: str, key: str, edited: bool
) -> Dialogue:
    side = SIDES["counterfactual"]
    usable = [rule for rule in asked if not rule.table and any(isinstance(d, Number) for d in rule.values.values())]
    for attempt in range(_TRIES):
        seed = f"{key}/{attempt}"
        rng = random.Random(seed)
        rule = rng.choice(usable or list(asked))
        first = realise(rule, word(rule, random.Random(seed), side), rng, side, 0)[0]
        kept = {
            name: v for name, v in first.bindings.items() if not isinstance(rule.values.get(name), Number | Computed)
        }
        second = realise(rule, word(rule, random.Random(seed), side), rng, side, 0, kept)[0]
        question = rng.choice(rule.questions)
        inputs = _kept(question, _inputs(Scene(others, rng, side), first, question, {}))
        pair = [_only(others, fact, question, inputs, seed) for fact in (first, second)]
        if pair[0].answer != pair[1].answer and pair[0].question == pair[1].question:
            tags = ("counterfactual", "edited" if edited else "original")
            return Dialogue(dialogue_id, rule.id, "counterfactual", tags, (pair[edited],))
    raise ValueError("no rule gives an answer that follows its numbers: the split 'counterfactual' would be empty")


def _only(others: Sequence[Rule], fact: Fact, question: Question, inputs: Mapping[str, Scalar], seed: str) -> Exchange:
    """Ask one question of a scene that depends on nothing but the seed and the fact."""
    scene = Scene(others, random.Random(f"{seed}/scene"), SIDES["counterfactual"])
    passages = scene.open([fact])
    scene.rng = random.Random(f"{seed}/question")
    return _answered(scene, fact, question, passages, None, inputs)[0]
