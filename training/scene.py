"""Scenes: the passages of a conversation, facts among facts of the same kind and sentences that say nothing."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from reasoning_core.prompt import Passage
from training.facts import Fact, Source, realise, word
from training.noise import noise_sentence
from training.rules import Rule
from training.values import Side

_TRIES = 12


@dataclass(slots=True)
class Scene:
    """What has been shown so far; `rules` are those that distractors may come from."""

    rules: Sequence[Rule]
    rng: random.Random
    side: Side
    facts: list[Fact] = field(default_factory=list)
    numbers: dict[tuple[int, int], int] = field(default_factory=dict)
    num_passages: int = 0
    num_sources: int = 0

    def invent(self, rule: Rule) -> list[Fact]:
        """Return new facts of a rule, not yet shown."""
        self.num_sources += 1
        return realise(rule, word(rule, self.rng, self.side), self.rng, self.side, self.num_sources)

    def open(self, gold: Sequence[Fact]) -> tuple[Passage, ...]:
        """Show the facts asked about among distractors; return the passages."""
        self.facts += gold
        shown = [(gold[0].source, part) for part in range(len(gold[0].source.parts))] if gold else []
        target = max(len(shown) + 1, self.rng.choice((2, 2, 3, 3, 4)))
        shown += self._distractors(gold[0].rule if gold else None, target - len(shown))
        self.rng.shuffle(shown)
        return self._show(shown)

    def add(self, rule: Rule) -> tuple[list[Fact], tuple[Passage, ...]]:
        """Show one more source; nothing where its facts would contradict those shown."""
        facts = self.invent(rule)
        if self.contradicts(facts):
            return [], ()
        self.facts += facts
        return facts, self._show([(facts[0].source, part) for part in range(len(facts[0].source.parts))])

    def contradicts(self, facts: Sequence[Fact]) -> bool:
        """Tell whether one of `facts` states something that is shown already."""
        known = {fact.identity for fact in self.facts}
        tables = {fact.rule.about for fact in self.facts if fact.rule.table}
        return any(fact.identity in known or fact.rule.about in tables for fact in facts)

    def absent(self, like: Rule | None) -> Fact | None:
        """Return a fact that is not shown, of the rule `like` if it can be."""
        for _ in range(_TRIES):
            rule = like if like and like.key and self.rng.random() < 0.6 else self.pick()
            facts = self.invent(rule)
            if rule.table or rule.key:
                shown = {(fact.rule.about, fact.bindings[fact.rule.key]) for fact in self.facts if fact.rule.key}
                facts = [f for f in facts if f.identity not in shown]
            elif self.contradicts(facts):
                continue
            if facts:
                return self.rng.choice(facts)
        return None

    def pick(self, topic: str | None = None) -> Rule:
        near = [rule for rule in self.rules if rule.topic == topic] or list(self.rules)
        return self.rng.choices(near, [rule.weight for rule in near])[0]

    def _distractors(self, rule: Rule | None, count: int) -> list[tuple[Source, int]]:
        shown: list[tuple[Source, int]] = []
        for _ in range(_TRIES):
            if len(shown) >= count:
                break
            facts = self.invent(self._distracting(rule))
            if not self.contradicts(facts) and len(facts[0].source.parts) == 1:
                self.facts += facts
                shown.append((facts[0].source, 0))
        return shown

    def _distracting(self, rule: Rule | None) -> Rule:
        chance = self.rng.random()
        if rule is not None and rule.key and rule.table is None and chance < 0.5:
            return rule
        return self.pick(rule.topic if rule is not None and chance < 0.75 else None)

    def _show(self, places: Sequence[tuple[Source, int]]) -> tuple[Passage, ...]:
        passages = []
        for source, part in places:
            self.num_passages += 1
            self.numbers[source.number, part] = self.num_passages
            passages.append(Passage(source.heading, self._surrounded(source.parts[part])))
        return tuple(passages)

    def _surrounded(self, text: str) -> str:
        """Put sentences that say nothing before or behind a policy text, as in a chunk of a handbook."""
        apart = "\n" if "\n" in text or text.startswith(("- ", "| ")) else " "
        if self.rng.random() < 0.25:
            text = f"{noise_sentence(self.rng)}{apart}{text}"
        if self.rng.random() < 0.3:
            text = f"{text}{apart}{noise_sentence(self.rng)}"
        return text
