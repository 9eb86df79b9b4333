"""The rules that a scene may draw on, found by topic and by the thing they speak of, and which of them compete."""

import random
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate

from retrieval.words import stems
from training.rules import Rule
from training.values import Choice, Record

_SLOT = re.compile(r"\{[^}]*\}")
_OPENINGS = {
    "who": re.compile(r"(?i)(?:who|whom|whose|(?:to|with|which|what) (?:whom|team|person|role)|where do i turn)\b"),
    "where": re.compile(r"(?i)where\b"),
    "when": re.compile(r"(?i)(?:(?:by|until) )?when\b"),
    "how much": re.compile(r"(?i)how much\b"),
    "how long": re.compile(r"(?i)how (?:long|soon|fast)\b"),
    "how often": re.compile(r"(?i)how often\b"),
}


class Library:
    """Rules by topic, and by each thing that their keys can be."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._of_topic: dict[str | None, tuple[list[Rule], list[int]]] = {None: _weighted(self.rules)}
        for topic in {rule.topic for rule in self.rules}:
            self._of_topic[topic] = _weighted([rule for rule in self.rules if rule.topic == topic])
        self._of_thing: dict[str, list[tuple[Rule, Mapping[str, str]]]] = {}
        for rule in self.rules:
            for thing, known in _things(rule):
                self._of_thing.setdefault(thing.casefold(), []).append((rule, known))
        self._asks = {rule.id: _what_is_asked(rule) for rule in self.rules}

    def pick(self, topic: str | None, rng: random.Random) -> Rule:
        """Return a rule of the topic by weight, or any rule where the topic has none."""
        rules, weights = self._of_topic.get(topic) or self._of_topic[None]
        return rng.choices(rules, cum_weights=weights)[0]

    def about_thing(self, thing: str) -> Sequence[tuple[Rule, Mapping[str, str]]]:
        """Return the rules whose key can be `thing`, with the values that make it so."""
        return self._of_thing.get(thing.casefold(), ())

    def compete(self, one: Rule, other: Rule) -> bool:
        """Tell whether two rules could answer one question about one thing, such as who is asked for it."""
        asked = [self._asks.get(rule.id) or _what_is_asked(rule) for rule in (one, other)]
        return not asked[0].isdisjoint(asked[1])


def _weighted(rules: Sequence[Rule]) -> tuple[list[Rule], list[int]]:
    return list(rules), list(accumulate(rule.weight for rule in rules))


def _things(rule: Rule) -> list[tuple[str, Mapping[str, str]]]:
    """Return each word that the key of a rule can be, with the values it comes with; names are not listed."""
    for name, domain in rule.values.items():
        if isinstance(domain, Choice) and name == rule.key:
            return [(option, {name: option}) for option in domain.options]
        if isinstance(domain, Record) and rule.key and rule.key in domain.options[0]:
            return [(option[rule.key], option) for option in domain.options]
    return []


def _what_is_asked(rule: Rule) -> frozenset[str]:
    """Return what the questions of a rule ask for: the opening where that tells, otherwise their stems."""
    phrasings = [_SLOT.sub(" ", phrasing) for question in rule.questions for phrasing in question.phrasings]
    return frozenset(_asked_for(phrasing) for phrasing in phrasings)


def _asked_for(phrasing: str) -> str:
    opening = next((name for name, pattern in _OPENINGS.items() if pattern.match(phrasing)), None)
    return opening or " ".join(sorted(set(stems(phrasing))))
