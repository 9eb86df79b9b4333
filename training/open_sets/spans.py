"""Questions that words of a text answer, and questions that a text leaves open."""

from collections.abc import Sequence

from reasoning_core.response import REFUSAL
from training.instructions import Exchange
from training.open_sets.acceptance import is_one_value
from training.open_sets.evidence import Place, Text, show
from training.open_sets.open_set import LeftOut
from training.phrasing import with_citations

_END = " .,;:!"


def answered(
    question: str,
    texts: Sequence[Text],
    place: Place,
    family: str,
    seed: str,
    *,
    answer: str | None = None,
    num_passages: int = 0,
) -> Exchange | LeftOut:
    """Return the exchange that quotes and cites a place; its words are the answer, unless it is a part of them."""
    answer = (answer or texts[place.text].text[place.start : place.end]).strip(_END)
    if not is_one_value(answer):
        return LeftOut("the answer is not one value")
    shown = show(question, texts, [place], seed, num_passages=num_passages)
    if shown is None or answer not in shown.quotes[0][0]:
        return LeftOut("the answer's words cannot be quoted")
    return Exchange(shown.passages, question, shown.lines, with_citations(answer, shown.numbers), "answer", family)


def left_open(question: str, texts: Sequence[Text], family: str, seed: str) -> Exchange | LeftOut:
    """Return the exchange that refuses; `texts` must be all that the source looked at."""
    shown = show(question, texts, [], seed)
    if shown is None or not shown.passages:
        return LeftOut("nothing can be shown")
    return Exchange(shown.passages, question, (), REFUSAL, "refusal", family)
