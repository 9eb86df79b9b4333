"""A question on its way: what is known of it so far, and how the reader's events become the chat's."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.context import NumberedPassage, Numbering, PastTurn, Selection
from app.records import ChatEvent, Delta, Stage, User, Worked, WorkedLine
from reasoning_core.reader import Answer, Retrying, TextDelta, WorkingLine
from reasoning_core.response import REFUSAL, Response
from retrieval.query import Query, conversation_query


@dataclass(slots=True)
class Ask:
    """One question on its way to its answer."""

    actor: User
    question: str
    message_id: int
    conversation: str
    past: list[PastTurn]
    cancel: threading.Event
    started: float = field(default_factory=time.monotonic)
    found_at: float = 0.0
    generation: int = 0
    core: str = ""
    raw: str = ""
    """The answer as the core numbers passages; `text` is what people see of it."""
    text: str = ""
    working: list[WorkedLine] = field(default_factory=list)
    selection: Selection = field(default_factory=lambda: Selection((), ()))
    turns_left_out: int = 0
    """How many of the oldest turns neither the history's budget nor the core had room for."""
    is_stored: bool = False

    @property
    def query(self) -> Query:
        """What to look for: the question, with what a follow-up leaves unsaid."""
        return conversation_query(self.question, [(turn.question, turn.response.answer) for turn in self.past])

    def earlier(self) -> list[NumberedPassage]:
        return [passage for turn in self.past for passage, _ in turn.passages]

    def timings_ms(self) -> dict[str, float]:
        now = time.monotonic()
        found = self.found_at or now
        spans = {"searching": found - self.started, "reading": now - found, "total": now - self.started}
        return {name: round(seconds * 1000, 1) for name, seconds in spans.items()}


def chat_events(asked: Ask, event: TextDelta | WorkingLine | Retrying, numbering: Numbering) -> Iterator[ChatEvent]:
    """Translate what the reader streams, and remember it in case the answer is stopped."""
    if isinstance(event, TextDelta):
        asked.raw += event.text
        more = numbering.for_people(whole_marks(asked.raw))[len(asked.text) :]
        asked.text += more
        if more:
            yield Delta(more)
    elif isinstance(event, WorkingLine):
        verdict = event.verdict
        line = WorkedLine(numbering.for_people(verdict.line), verdict.holds, numbering.for_people(verdict.reason))
        asked.working.append(line)
        yield Worked(line.line, line.holds, line.reason)
    else:
        asked.raw = asked.text = ""
        asked.working.clear()
        yield Stage("checking")
        yield Delta("", restart=True)


def whole_marks(text: str) -> str:
    """Return text up to a mark [n] that is still being written: its number may have to be translated."""
    opened = text.rfind("[")
    is_open = opened >= 0 and (text[opened + 1 :] == "" or text[opened + 1 :].isdigit())
    return text[:opened] if is_open else text


def nothing_found() -> Answer:
    """The answer where there is nothing to read."""
    return Answer(
        kind="refusal",
        response=Response((), REFUSAL),
        text=REFUSAL,
        citations=(),
        working=(),
        verified=False,
        problems=("no passage was found",),
        prompt_tokens=0,
        cached_tokens=0,
        new_tokens=0,
        core="",
    )


def remembered(answer: Answer, numbering: Numbering) -> Response:
    """Return the response that later turns build on: what was shown, never a draft that failed its checks."""
    if answer.kind == "refusal":
        return Response((), REFUSAL)
    if answer.kind == "quotation":
        marks = "".join(f" [{citation.n}]" for citation in answer.citations)
        return Response((), numbering.for_people(answer.text + marks))
    lines = tuple(numbering.for_people(line) for line in answer.response.working)
    return Response(lines, numbering.for_people(answer.response.answer))
