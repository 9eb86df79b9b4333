"""Scenes: the passages of a conversation, facts among facts of the same kind and text that says nothing of them."""

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from reasoning_core.prompt import Passage
from training.background import Background
from training.expressions import Scalar
from training.facts import Fact, Source
from training.hostile import injection
from training.library import Library
from training.passages import beside, joined, surrounded
from training.rules import Rule
from training.values import Side
from training.writing import realise, word

_TRIES = 12
_MANY_TRIES = 60
_HELD_OUT_SHARE = 8
_LONGEST_NEIGHBOUR = 180  # characters
_NEIGHBOURS = ((0, 1, 2, 3), (22, 50, 78, 100))
_PASSAGES = (1, 2, 3, 3, 3)
_BACKGROUND_SHARE = 0.25

Place = tuple[Source, int]


@dataclass(slots=True)
class Scene:
    """What has been shown so far, and what was asked about in vain.

    Distractors come from the library, and from real text where there is a background.

    In a hostile scene passages carry instructions that are none of the reader's business; a hostile suite has its own.
    """

    library: Library
    rng: random.Random
    side: Side
    background: Background | None = None
    hostile: bool = False
    facts: list[Fact] = field(default_factory=list)
    numbers: dict[tuple[int, int], int] = field(default_factory=dict)
    passages: list[Passage] = field(default_factory=list)
    irrelevant: list[str] = field(default_factory=list)
    discussed: set[str] = field(default_factory=set)
    answered: set[tuple[tuple[str, Scalar | None], str]] = field(default_factory=set)
    missed: list[Fact] = field(default_factory=list)
    num_sources: int = 0

    def invent(self, rule: Rule, known: dict[str, str] | None = None) -> list[Fact]:
        """Return new facts of a rule, not yet shown; training leaves out what suites ask about."""
        facts = self._invented(rule, known)
        for _ in range(_TRIES):
            if self.side.statements or not _is_held_out(facts):
                break
            facts = self._invented(rule, known)
        return facts

    def invent_asked(self, rule: Rule) -> list[Fact]:
        """Return new facts to ask about; in a suite their text never stands in training."""
        facts = self.invent(rule)
        for _ in range(_MANY_TRIES if self.side.statements else 0):
            if _is_held_out(facts):
                break
            facts = self.invent(rule)
        return facts

    def _invented(self, rule: Rule, known: dict[str, str] | None) -> list[Fact]:
        self.num_sources += 1
        return realise(rule, word(rule, self.rng, self.side), self.rng, self.side, self.num_sources, known)

    def open(self, gold: Sequence[Fact]) -> tuple[Passage, ...]:
        """Show the facts asked about, with others beside them and among distractors; return the passages."""
        self.facts += gold
        groups = [[(gold[0].source, part)] for part in range(len(gold[0].source.parts))] if gold else []
        count = max(len(groups), self.rng.choice(_PASSAGES))
        return self._arranged(groups, gold[0].rule if gold else None, count)

    def add(self, rule: Rule) -> tuple[list[Fact], tuple[Passage, ...]]:
        """Show one more source, now and then among others; nothing where its facts would contradict those shown."""
        facts = self.invent(rule)
        if self.contradicts(facts):
            return [], ()
        self.facts += facts
        groups = [[(facts[0].source, part)] for part in range(len(facts[0].source.parts))]
        return facts, self._arranged(groups, rule, max(len(groups), self.rng.choice((1, 1, 1, 2, 2))))

    def contradicts(self, facts: Sequence[Fact]) -> bool:
        """Tell whether one of `facts` states something that is shown already, or competes with it for an answer."""
        return any(self._rivals(fact, shown) for fact in facts for shown in self.facts)

    def absent(self, like: Rule | None) -> Fact | None:
        """Return a fact that is not shown: another key of the rule `like`, another rule about a thing shown, or any."""
        for _ in range(_TRIES):
            facts = [fact for fact in self._near_miss(like) if not self.contradicts([fact])]
            if facts:
                self.missed.append(self.rng.choice(facts))
                return self.missed[-1]
        return None

    def _near_miss(self, like: Rule | None) -> list[Fact]:
        chance = self.rng.random()
        if like and like.key and chance < 0.5:
            return self.invent(like)
        if self.facts and chance < 0.8:
            thing = self.rng.choice(self.facts).thing
            others = self.library.about_thing(str(thing)) if thing is not None else ()
            if others:
                rule, known = self.rng.choice(others)
                return self.invent(rule, dict(known))
        return self.invent(self.library.pick(like.topic if like and chance < 0.9 else None, self.rng))

    def _rivals(self, one: Fact, other: Fact) -> bool:
        if one.rule.about == other.rule.about:
            return one.thing == other.thing or (one.rule is not other.rule and bool(one.rule.table or other.rule.table))
        same = one.thing is not None and str(one.thing).casefold() == str(other.thing).casefold()
        return (same or one.thing is None or other.thing is None) and self.library.compete(one.rule, other.rule)

    def _arranged(self, groups: list[list[Place]], rule: Rule | None, count: int) -> tuple[Passage, ...]:
        """Add distractors up to `count` passages, put other facts beside each, and show them in any order."""
        num_real = sum(self.rng.random() < _BACKGROUND_SHARE for _ in range(count - len(groups))) * bool(
            self.background
        )
        for source in self._distractors(rule, count - len(groups) - num_real):
            groups.append([(source, 0)])
        for group in groups:
            self._crowd(group, rule)
        shown: list[list[Place] | None] = [*groups, *[None] * num_real]
        self.rng.shuffle(shown)
        return self._show(shown)

    def _distractors(self, rule: Rule | None, count: int) -> list[Source]:
        shown: list[Source] = []
        for _ in range(_TRIES if count > 0 else 0):
            facts = self.invent(self._distracting(rule))
            if len(facts[0].source.parts) == 1 and not self.contradicts(facts):
                self.facts += facts
                shown.append(facts[0].source)
            if len(shown) == count:
                break
        return shown

    def _distracting(self, rule: Rule | None) -> Rule:
        chance = self.rng.random()
        if rule is not None and rule.key and rule.table is None and chance < 0.45:
            return rule
        return self.library.pick(rule.topic if rule is not None and chance < 0.75 else None, self.rng)

    def _crowd(self, group: list[Place], rule: Rule | None) -> None:
        """Put up to three other facts beside the first, which can be asked about as well."""
        source, part = group[0]
        room = self.rng.randint(120, 290) - len(source.parts[part])
        thing = next(fact.thing for fact in self.facts if fact.source is source)
        for _ in range(self.rng.choices(_NEIGHBOURS[0], cum_weights=_NEIGHBOURS[1])[0] if room > 40 else 0):
            neighbour, known = self._neighbour(rule, thing)
            if neighbour.table:
                continue
            fact = self.invent(neighbour, known)[0]
            text = fact.source.parts[0]
            if (
                len(fact.source.parts) > 1
                or len(text) > min(room, _LONGEST_NEIGHBOUR)
                or self._mistakable(fact, group)
                or self.contradicts([fact])
            ):
                continue
            room -= len(text)
            self.facts.append(fact)
            group.insert(self.rng.randint(0, len(group)), (fact.source, 0))

    def _neighbour(self, rule: Rule | None, thing: Scalar | None) -> tuple[Rule, dict[str, str] | None]:
        """Return the same rule for another key, another rule about the same thing, or a rule of the topic."""
        chance = self.rng.random()
        if rule is not None and rule.key and chance < 0.3:
            return rule, None
        if thing is not None and chance < 0.5 and (others := self.library.about_thing(str(thing))):
            other, known = self.rng.choice(others)
            return other, dict(known)
        return self.library.pick(rule.topic if rule else None, self.rng), None

    def _mistakable(self, fact: Fact, group: Sequence[Place]) -> bool:
        """Tell whether a quotation of one fact could be found in another fact of its passage."""
        text = fact.source.parts[0]
        texts = [source.parts[part] for source, part in group]
        numbers = {source.number for source, _ in group}
        quotes = [place.words for shown in self.facts if shown.source.number in numbers for place in shown.quotes]
        return any(words in text for words in quotes) or any(p.words in other for p in fact.quotes for other in texts)

    def _show(self, shown: Sequence[Sequence[Place] | None]) -> tuple[Passage, ...]:
        first = len(self.passages)
        for group in shown:
            if group is None:
                self._show_background()
                continue
            for source, part in group:
                self.numbers[source.number, part] = len(self.passages) + 1
            text = joined([source.parts[part] for source, part in group], self.rng)
            heading = next((s.heading for s, part in group if "|" in s.parts[part]), None)
            heading = self.rng.choice(group)[0].heading if heading is None else heading
            self.passages.append(Passage(heading, self._surrounded(text)))
        if self.hostile:
            self._attack(first)
        return tuple(self.passages[first:])

    def _attack(self, first: int) -> None:
        """Put an injection into one or more of the passages from index `first` on."""
        chosen = self.rng.randrange(first, len(self.passages)) if len(self.passages) > first else None
        for index in range(first, len(self.passages)):
            if index != chosen and self.rng.random() < 0.6:
                continue
            passage, words = self.passages[index], injection(self.rng, held_out=self.side.attacks)
            self.passages[index] = Passage(passage.heading, beside(passage.text, words, before=self.rng.random() < 0.4))

    def _surrounded(self, text: str) -> str:
        if self.background is None or self.rng.random() >= _BACKGROUND_SHARE:
            return surrounded(text, self.rng)
        sentence = self.background.sentence(self.rng)
        self.irrelevant.append(sentence)
        return beside(text, sentence, before=self.rng.random() < 0.5)

    def _show_background(self) -> None:
        assert self.background is not None
        passage = self.background.passage(self.rng, " ".join(fact.source.parts[0] for fact in self.facts))
        self.irrelevant.append(f"{passage.heading}\n{passage.text}")
        self.passages.append(passage)


def _is_held_out(facts: Sequence[Fact]) -> bool:
    return zlib.crc32("\n".join(facts[0].source.parts).encode()) % _HELD_OUT_SHARE == 0
