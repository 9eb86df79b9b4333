"""Whether a dialogue teaches what the reader would accept: working that holds, passages that exist, kinds that fit."""

from collections.abc import Iterator

from reasoning_core.prompt import numbered
from reasoning_core.response import REFUSAL, Response
from reasoning_core.working import check
from training.instructions import Dialogue, Exchange


def faults_of(dialogue: Dialogue) -> Iterator[str]:
    """Yield one sentence for each fault of the responses that are to be learned."""
    turns = dialogue.turns()
    for number, exchange in enumerate(dialogue.exchanges, start=1):
        if not exchange.supervised:
            continue
        texts = {n: passage.text for n, passage in numbered(turns[:number]).items()}
        where = f"turn {number}: " if len(dialogue.exchanges) > 1 else ""
        for line in exchange.working:
            verdict = check(line, texts)
            if not verdict.holds:
                yield f"{where}a line of the working does not hold: {line} ({verdict.reason})"
        response = Response(exchange.working, exchange.answer)
        for n in response.cited:
            if texts and n not in texts:
                yield f"{where}passage {n} is cited and {len(texts)} are shown"
        if texts:
            yield from (f"{where}{fault}" for fault in _misfits(exchange, response))


def _misfits(exchange: Exchange, response: Response) -> Iterator[str]:
    """Yield where the reader, which goes by the words alone, would take the response for another kind."""
    if (exchange.kind == "refusal") != response.refused:
        yield f"the kind is {exchange.kind} and the answer {'is' if response.refused else 'is not'} {REFUSAL!r}"
    if (exchange.kind == "question") != (response.asks_back and not response.working):
        yield f"the kind is {exchange.kind} and the answer {exchange.answer!r}"
