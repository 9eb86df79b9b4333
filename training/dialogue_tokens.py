"""The tokens of a dialogue by part, each computed once and only where it is asked for."""

from functools import cached_property

import numpy as np

from reasoning_core.working import numbers_in
from training.grams import Hashes, token_hashes
from training.instructions import Dialogue


class DialogueTokens:
    """Passages, questions and responses of a dialogue as tokens; headings are left out."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._exchanges = dialogue.exchanges

    @cached_property
    def passages(self) -> list[list[Hashes]]:
        """The passages that are new in each turn."""
        return [[token_hashes(passage.text) for passage in exchange.passages] for exchange in self._exchanges]

    @cached_property
    def questions(self) -> list[Hashes]:
        return [token_hashes(exchange.question) for exchange in self._exchanges]

    @cached_property
    def responses(self) -> list[Hashes]:
        """Working and answer of each turn."""
        return [token_hashes("\n".join((*exchange.working, exchange.answer))) for exchange in self._exchanges]

    @cached_property
    def numbers(self) -> list[frozenset[str]]:
        """The numbers and dates of the passages and the question that are new in each turn, without thousands marks."""
        return [
            frozenset(
                number.replace(",", "")
                for text in (*(passage.text for passage in exchange.passages), exchange.question)
                for number in numbers_in(text)
            )
            for exchange in self._exchanges
        ]

    @property
    def prompt(self) -> list[Hashes]:
        """Passages and questions in the order in which they are read."""
        turns = zip(self.passages, self.questions, strict=True)
        return [part for passages, question in turns for part in (*passages, question)]

    @property
    def together(self) -> Hashes:
        """All tokens in one row."""
        return np.concatenate([*self.prompt, *self.responses])
