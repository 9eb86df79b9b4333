"""Dialogues that stand in the data twice, and questions that stand in two splits."""

from dataclasses import dataclass

import numpy as np

from training.dialogue_tokens import DialogueTokens
from training.grams import Hashes
from training.instructions import Dialogue

_BETWEEN = np.array([hash("\n")], np.int64).view(np.uint64)  # no token


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The dialogue at `place` has the words of the one at `of`."""

    place: str
    of: str


@dataclass(frozen=True, slots=True)
class Leak:
    """A question that is asked over the same passages in two splits; `place` is in `split`, `other` in the other."""

    question: str
    split: str
    place: str
    other_split: str
    other: str


class Repetitions:
    """Collects the dialogues of all files; the order of passages does not count, nor do case and space."""

    def __init__(self) -> None:
        self.duplicates: list[Duplicate] = []
        self.leaks: list[Leak] = []
        self._dialogues: dict[int, str] = {}
        self._questions: dict[int, tuple[str, str]] = {}

    def see(self, dialogue: Dialogue, tokens: DialogueTokens, place: str) -> bool:
        """Take in one dialogue; return whether its words are new."""
        self._look_for_leaks(dialogue, tokens, place)
        whole = hash(_bytes([*tokens.prompt, *tokens.responses]))
        of = self._dialogues.setdefault(whole, place)
        if of is not place:
            self.duplicates.append(Duplicate(place, of))
        return of is place

    def _look_for_leaks(self, dialogue: Dialogue, tokens: DialogueTokens, place: str) -> None:
        passages: set[bytes] = set()
        asked: list[Hashes] = []
        for exchange, new, question in zip(dialogue.exchanges, tokens.passages, tokens.questions, strict=True):
            passages.update(passage.tobytes() for passage in new)
            asked.append(question)
            key = hash((frozenset(passages), _bytes(asked)))
            split, other = self._questions.setdefault(key, (dialogue.split, place))
            if split != dialogue.split:
                self.leaks.append(Leak(exchange.question, dialogue.split, place, split, other))


def _bytes(parts: list[Hashes]) -> bytes:
    return np.concatenate([each for part in parts for each in (part, _BETWEEN)]).tobytes()
