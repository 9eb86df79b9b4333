"""What the core writes: working lines, then an answer.

An answer opens with its *short answer* (a verdict or a value), may explain it in one more sentence, and ends
with citations: ``No. 75 is more than 60 [2].`` Two answers are fixed sentences: the refusal, and questions back.
"""

import re
from dataclasses import dataclass

REFUSAL = "The documents do not say."

_CITATION = re.compile(r"\s?\[(\d{1,6})\]")
_SHORT_END = re.compile(r"[.:;]\s|\s\[|[.?!]?$")


@dataclass(frozen=True, slots=True)
class Response:
    """One finished or stopped response."""

    working: tuple[str, ...]
    answer: str

    @property
    def refused(self) -> bool:
        return self.answer.strip() == REFUSAL

    @property
    def asks_back(self) -> bool:
        return self.answer.rstrip().endswith("?")

    @property
    def cited(self) -> tuple[int, ...]:
        """Passage numbers in order of first mention, in the working and then in the answer."""
        text = "\n".join((*self.working, self.answer))
        return tuple(dict.fromkeys(int(n) for n in _CITATION.findall(text)))

    @property
    def short_answer(self) -> str:
        """The verdict or value the answer opens with, without its explanation and citations."""
        answer = without_citations(self.answer).strip()
        end = _SHORT_END.search(answer)
        return answer[: end.start()].strip() if end else answer


def without_citations(answer: str) -> str:
    """Return the answer with every ``[n]`` taken out."""
    return _CITATION.sub("", answer)


def normalised(short_answer: str) -> str:
    """Return the form in which two short answers are compared: case, currency, commas and articles do not count."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", short_answer.casefold())
    text = re.sub(r"[$€£]|usd|eur|gbp", "", text)
    text = re.sub(r"\b(the|a|an)\b", " ", text)
    return re.sub(r"[^\w.%-]+", " ", text).strip(" .")
