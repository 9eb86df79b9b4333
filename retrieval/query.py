"""What to search for: a question, and what it leaves unsaid, each text with a weight.

Both rankings read the same weights: the keyword ranking as weights of terms, the dense ranking as weights of vectors.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.words import QUESTION_WORDS, content_words, identifiers, query_terms, without_identifiers, words

_REFERRING = "it its they them their that those this these he she one ones same there such also else"
_REFERS_BACK = frozenset(_REFERRING.split())
_ELLIPSIS = re.compile(r"^\s*(?:and|but|or|so|what about|how about|then|also|what if|why|even|for|in|with)\b", re.I)

# Tuned on a fifth of the doc2dial dialogues; a slower decay finds more there and loses questions on a new topic.
_DECAY = 0.4  # of each turn against the one after it
_ANSWER = 0.5  # of an answer against the question that it answers
_ASIDE = 0.3  # of all that came before, for a question that could stand alone
_SELF_CONTAINED = 3  # content words
_CARRIED_CHARS = 300
_MAX_TURNS = 8
_BESIDE = 2  # content words beside an identifier; with more, it is one word among others
MAX_TERMS = 64  # beyond it more terms cost time and find nothing new


@dataclass(frozen=True, slots=True)
class Query:
    """A question, and the texts that it leans on, each with its weight against the question's 1."""

    question: str
    context: tuple[tuple[str, float], ...] = ()

    @property
    def text(self) -> str:
        """The question followed by the words that its context adds, newest first: what a reader should look for."""
        said = set(content_words(self.question))
        parts = [self.question]
        for text, _ in self.context:
            new = [word for word in dict.fromkeys(content_words(text)) if word not in said]
            said.update(new)
            parts.append(" ".join(new)[:_CARRIED_CHARS].strip())
        return " ".join(part for part in parts if part)

    def terms(self) -> dict[str, float]:
        """Return the weight of each term to look up: the sum over the texts that have it, the heaviest terms first."""
        weights: dict[str, float] = {}
        for text, weight in self._texts():
            for term in query_terms(text):
                weights[term] = weights.get(term, 0.0) + weight
        heaviest = sorted(weights.items(), key=lambda item: -item[1])
        return dict(heaviest[:MAX_TERMS])

    def names(self) -> list[str]:
        """Return the identifiers of a question that asks for little else; what holds them is to come first."""
        found = identifiers(self.question)
        return list(dict.fromkeys(found)) if len(content_words(without_identifiers(self.question))) <= _BESIDE else []

    def vector(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the weighted sum, at length 1, of the vectors of `texts()` in that order, shape (N, dim)."""
        total: NDArray[np.float32] = np.array([weight for _, weight in self._texts()], np.float32) @ vectors
        length = float(np.linalg.norm(total))
        return total / length if length else total

    def texts(self) -> list[str]:
        return [text for text, _ in self._texts()]

    def _texts(self) -> Iterable[tuple[str, float]]:
        return [(self.question, 1.0), *self.context]


def conversation_query(question: str, earlier: Sequence[tuple[str, str]]) -> Query:
    """Return what to search for: the question, leaning on the (question, answer) pairs before it, oldest first.

    The newest turn weighs most. A question with enough words of its own, none of which refers back, leans little: the
    topic may be new.
    """
    own = content_words(question)
    refers_back = bool(_REFERS_BACK.intersection(words(question))) or bool(_ELLIPSIS.match(question))
    lean = _ASIDE if len(own) >= _SELF_CONTAINED and not refers_back else 1.0
    context: list[tuple[str, float]] = []
    weight = lean
    for asked, answered in reversed(earlier[-_MAX_TURNS:]):
        context.append((answered, weight * _ANSWER))
        weight *= _DECAY
        context.append((asked, weight))
    return Query(question, tuple((text, weight) for text, weight in context if _says_something(text)))


def _says_something(text: str) -> bool:
    return not QUESTION_WORDS.issuperset(words(text))
