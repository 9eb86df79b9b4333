"""A problem in words with exact steps: the story is the passage, its numbers are quoted, the steps are the working."""

import re
from collections.abc import Sequence

from reasoning_core.prompt import Passage
from reasoning_core.words import sentence_spans
from reasoning_core.working import numbers_in
from training.instructions import Exchange
from training.open_sets.evidence import quote
from training.open_sets.open_set import LeftOut

UNSOURCED = "unsourced"
"""The tag of problems whose steps use a number that stands nowhere, as the 2 of "half"."""

_HEADING = "Problem"


def told_and_asked(problem: str) -> tuple[str, str]:
    """Split a problem into its story and the sentence that asks, its last; the story may be empty."""
    spans = list(sentence_spans(problem))
    start = spans[-1][0] if spans else 0
    return problem[:start].strip(), problem[start:].strip()


def exchange(story: str, question: str, lines: Sequence[str], answer: str, family: str) -> Exchange | LeftOut:
    """Return the exchange over the story; without one, or with a number that nobody states, all is the question."""
    asked = _plain(question)
    known, quotes = set(asked), list[str]()
    for line in lines:
        operands, _, result = line.rpartition(" = ")
        for number in _plain(operands):
            if number in known:
                continue
            places = [place for place in re.finditer(r"\d[\d,]*(?:\.\d+)?", story) if _plain(place[0]) == [number]]
            if len(places) > 1:
                return LeftOut("a number stands in several places")
            if not places or (words := quote(story, *places[0].span())) is None:
                return _alone(f"{story} {question}".strip(), lines, answer, family)
            quotes.append(f'"{words}" [1]')
            known.update(_plain(words))
        known.update(_plain(result))
    if not story or not quotes:
        return _alone(f"{story} {question}".strip(), lines, answer, family)
    working = (*dict.fromkeys(quotes), *lines)
    return Exchange((Passage(_HEADING, story),), question, working, f"{answer} [1].", "answer", family)


def _alone(problem: str, lines: Sequence[str], answer: str, family: str) -> Exchange:
    return Exchange((), problem, tuple(lines), f"{answer}.", "answer", family)


def is_sourced(exchanged: Exchange) -> bool:
    """Return whether every number of the steps is stated or computed before it is used."""
    texts = (*(passage.text for passage in exchanged.passages), exchanged.question)
    known = set(_plain("\n".join(texts)))
    for line in exchanged.working:
        operands, equals, result = line.rpartition(" = ")
        if equals and not line.startswith('"'):
            if not known.issuperset(_plain(operands)):
                return False
            known.update(_plain(result))
    return True


def _plain(text: str) -> list[str]:
    return [number.replace(",", "") for number in numbers_in(text)]
