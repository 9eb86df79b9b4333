"""A reader that answers with a passage's own words: a second implementation of the chat's port, without a model."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from reasoning_core.grounding import PassageCitation
from reasoning_core.prompt import Passage, Turn, numbered
from reasoning_core.reader import Answer, ReaderEvent, Retrying, TextDelta, WorkingLine
from reasoning_core.response import Response
from reasoning_core.working import check


@dataclass
class QuotingReader:
    """Cites the passage that shares most words with the question; keeps the prompts it was given.

    A question that starts with "wait" is answered word by word until it is cancelled; one with "again" tries twice.
    """

    core: str = "quoting"
    prompts: list[tuple[Turn, ...]] = field(default_factory=list)

    def read(
        self,
        history: Sequence[Turn],
        question: str,
        passages: Sequence[Passage],
        cancel: threading.Event | None = None,
        *,
        caller: str = "",
    ) -> Iterator[ReaderEvent]:
        turns = (*history, Turn(tuple(passages), question))
        self.prompts.append(turns)
        shown = {n: passage.text for n, passage in numbered(turns).items()}
        words = set(question.lower().split())
        n = max(shown, key=lambda number: (len(words & set(shown[number].lower().split())), -number))
        if question.startswith("wait"):
            yield TextDelta("One moment")
            while cancel is not None and not cancel.wait(0.01):
                yield TextDelta(" more")
            yield self._answer("stopped", Response((), "One moment"), (), ())
            return
        if "again" in words:
            yield TextDelta("A first try")
            yield Retrying("a working line does not hold")
        line = f'"{shown[n].split(".")[0]}" [{n}]'
        verdict = check(line, shown)
        yield WorkingLine(verdict)
        text = f"{shown[n].strip()} [{n}]"
        for part in (text[:-2], text[-2:]):  # the mark [n] arrives in two pieces
            yield TextDelta(part)
        yield self._answer("answer", Response((line,), text), (PassageCitation(n, 0, len(shown[n])),), (verdict,))

    def _answer(self, kind: str, response: Response, citations: tuple, working: tuple) -> Answer:
        return Answer(
            kind=kind,
            response=response,
            text=response.answer,
            citations=citations,
            working=working,
            verified=kind == "answer",
            problems=(),
            prompt_tokens=0,
            cached_tokens=0,
            new_tokens=0,
            core=self.core,
            confidence=0.75,
        )
