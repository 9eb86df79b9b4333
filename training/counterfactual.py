"""Pairs of dialogues that ask the same of the same passages before and after the fact that decides was edited."""

import random
from collections.abc import Sequence
from dataclasses import replace

from training.asking import Asked, answered, draw_inputs, kept, some_question
from training.facts import one_phrasing
from training.instructions import Dialogue
from training.library import Library
from training.rules import Rule
from training.scene import Scene
from training.values import Computed, Number, Side, can_hold_out
from training.writing import realise, word

_TRIES = 40


def counterfactual(
    asked: Sequence[Rule], library: Library, dialogue_id: str, key: str, side: Side, *, edited: bool
) -> Dialogue:
    """Return one dialogue of the pair that `key` names: the one after the edit, or the original.

    Raises:
        ValueError: no rule gives answers that follow its numbers.
    """
    usable = [rule for rule in asked if not rule.table and any(can_hold_out(d) for d in rule.values.values())]
    if not usable:
        raise ValueError("no rule draws a number from ten or more: the split 'counterfactual' would be empty")
    for attempt in range(_TRIES):
        rng = random.Random(f"{key}/{attempt}")
        rule = rng.choice(usable)
        pair = _pair(Scene(library, rng, side), rule, dialogue_id)
        if pair is not None:
            return pair[edited]
    raise ValueError("no rule gives an answer that follows its numbers: the split 'counterfactual' would be empty")


def _pair(scene: Scene, rule: Rule, dialogue_id: str) -> tuple[Dialogue, Dialogue] | None:
    wording, rng, side = word(rule, scene.rng, scene.side), scene.rng, scene.side
    first = realise(rule, wording, rng, side, 0)[0]
    same = {n: v for n, v in first.bindings.items() if not isinstance(rule.values.get(n), Number | Computed)}
    second = realise(rule, wording, rng, side, 0, same)[0]
    passages = scene.open([first])
    question = some_question(first, scene.rng)
    inputs = kept(Asked(first, question, draw_inputs(scene, first, question, {})))
    template = one_phrasing(question.phrasings, scene.rng, scene.side.phrasings)
    before, _ = answered(scene, first, question, passages, template, inputs)
    texts = [passage.text for passage in passages]
    for old, new in zip(first.source.parts, second.source.parts, strict=True):
        texts = [text.replace(old, new) for text in texts]
    changed = tuple(replace(passage, text=text) for passage, text in zip(passages, texts, strict=True))
    after, _ = answered(scene, second, question, changed, template, inputs)
    differ = before.answer != after.answer and first.source.parts != second.source.parts
    if not differ or before.question != after.question:
        return None
    return (
        Dialogue(dialogue_id, rule.id, "counterfactual", ("counterfactual", "original"), (before,)),
        Dialogue(dialogue_id, rule.id, "counterfactual", ("counterfactual", "edited"), (after,)),
    )
