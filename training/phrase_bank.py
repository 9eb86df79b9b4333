"""Phrases of real text, and conversations in which they stand for the things that rules speak of.

A rulebook lists some dozen things for each rule; a core that has met no others learns the list. Here a thing becomes
a phrase that nobody listed, in passages, question, working and answer alike, so that only reading finds it.
"""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reasoning_core.prompt import Passage
from reasoning_core.words import content_words
from training.expressions import Scalar
from training.instructions import Exchange

# Runs of lower-case words between function words and marks: "travel card statements".
_RUN = re.compile(r"(?<![\w'-])[a-z][a-z-]{2,}(?: [a-z][a-z-]*){0,11}(?![\w'-])")
_MOST_WORDS, _LONGEST_WORD = 3, 15
_TRIES = 20


class PhraseBank:
    """Distinct phrases of one to three content words."""

    def __init__(self, texts: Iterable[str]) -> None:
        found = dict.fromkeys(phrase for text in texts for run in _RUN.findall(text) for phrase in _phrases(run))
        self._phrases = list(found)

    def __len__(self) -> int:
        return len(self._phrases)

    def draw(self, rng: random.Random, taken: set[str]) -> str | None:
        """Return a phrase that shares no content word with `taken`, to which its own are added."""
        for _ in range(_TRIES if self._phrases else 0):
            phrase = rng.choice(self._phrases)
            words = content_words(phrase)
            if not words & taken:
                taken |= words
                return phrase
        return None


def _phrases(run: str) -> list[str]:
    """Split a run at its function words."""
    parts: list[list[str]] = [[]]
    for word in run.split(" "):
        if content_words(word) and len(word) <= _LONGEST_WORD:
            parts[-1].append(word)
        else:
            parts.append([])
    return [" ".join(part) for part in parts if 0 < len(part) <= _MOST_WORDS and len(" ".join(part)) > len("card")]


def renamed(
    exchanges: Sequence[Exchange], things: Iterable[Scalar | None], phrases: PhraseBank, rng: random.Random
) -> list[Exchange]:
    """Return the same conversation about things that no rulebook lists; names with a capital stay."""
    listed = {thing for thing in things if isinstance(thing, str) and thing[:1].islower()}
    said = "\n".join(text for exchange in exchanges for text in _texts(exchange))
    taken, names = content_words(said), dict[str, str]()
    for thing in sorted(listed):
        if (phrase := phrases.draw(rng, taken)) is not None:
            names[thing.casefold()] = phrase
    if not names:
        return list(exchanges)
    longest_first = "|".join(re.escape(thing) for thing in sorted(names, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w-])(?:{longest_first})(?![\w-])", re.I)

    def put(text: str) -> str:
        return pattern.sub(lambda match: _cased(names[match[0].casefold()], match[0]), text)

    return [
        replace(
            exchange,
            passages=tuple(Passage(put(p.heading), put(p.text)) for p in exchange.passages),
            question=put(exchange.question),
            working=tuple(map(put, exchange.working)),
            answer=put(exchange.answer),
        )
        for exchange in exchanges
    ]


def _texts(exchange: Exchange) -> tuple[str, ...]:
    return (*(p.heading for p in exchange.passages), *(p.text for p in exchange.passages), exchange.question)


def _cased(phrase: str, like: str) -> str:
    return phrase[0].upper() + phrase[1:] if like[0].isupper() else phrase
