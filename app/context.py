"""What the core is given to read: windows of the best passages, numbered through the conversation.

A passage that the core has in its context keeps its number and is not repeated. When old turns no longer fit, the
numbers that the core sees start again at 1; `Numbering` translates between those and the ones people see.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.records import Hit
from reasoning_core.prompt import Passage, Turn, table_heading
from reasoning_core.response import Response
from retrieval.windows import table_header, window

_MARK = re.compile(r"\[(\d+)\]")
_GONE = Passage("", "This passage was removed or replaced.")


@dataclass(frozen=True, slots=True)
class NumberedPassage:
    """A chunk as it was shown: bytes `start` to `end` of a version, and the window of them that the core reads."""

    n: int
    version_id: int
    headings: tuple[str, ...]
    start: int
    end: int
    window_start: int
    window_end: int

    def covers(self, other: "NumberedPassage") -> bool:
        return (
            self.version_id == other.version_id
            and self.window_start <= other.window_start
            and other.window_end <= self.window_end
        )


@dataclass(frozen=True, slots=True)
class PastTurn:
    """One turn as it is stored: the passages that were new in it, by number, with their text where it is in force."""

    passages: tuple[tuple[NumberedPassage, Passage | None], ...]
    question: str
    response: Response

    @property
    def size(self) -> int:
        shown = sum(len(text.text) + len(text.heading) for _, text in self.passages if text)
        return shown + len(self.question) + len(self.response.answer) + sum(map(len, self.response.working))


@dataclass(frozen=True, slots=True)
class Numbering:
    """Between the numbers in the core's prompt and those that people see."""

    seen: Mapping[int, int]
    """From prompt to people."""

    def for_people(self, text: str) -> str:
        return _renumbered(text, self.seen)

    def for_core(self, text: str) -> str:
        return _renumbered(text, {shown: n for n, shown in self.seen.items()})

    @property
    def is_identity(self) -> bool:
        return all(n == shown for n, shown in self.seen.items())


@dataclass(frozen=True, slots=True)
class Selection:
    """The passages found for a question: those in the context already, and the new ones with what the core reads."""

    known: tuple[NumberedPassage, ...]
    new: tuple[tuple[NumberedPassage, Passage], ...]


def fitting(turns: Sequence[PastTurn], max_chars: int) -> Sequence[PastTurn]:
    """Return the newest turns that fit."""
    room, first = max_chars, len(turns)
    while first and turns[first - 1].size <= room:
        first -= 1
        room -= turns[first].size
    return turns[first:]


def select(
    question: str,
    hits: Iterable[Hit],
    context: Sequence[NumberedPassage],
    earlier: Sequence[NumberedPassage],
    *,
    limit: int,
    window_chars: int,
) -> Selection:
    """Choose up to `limit` passages; `context` is before the core now, `earlier` was shown to the person before."""
    next_n = max((passage.n for passage in earlier), default=0) + 1
    known: list[NumberedPassage] = []
    new: list[tuple[NumberedPassage, Passage]] = []
    for hit in hits:
        if len(known) + len(new) >= limit:
            break
        found, text = _windowed(question, hit, window_chars)
        if in_context := next((passage for passage in context if passage.covers(found)), None):
            if in_context not in known:
                known.append(in_context)
            continue
        if not text.text.strip() or any(text == other for _, other in new):
            continue
        again = next((old for old in earlier if old.covers(found) and found.covers(old)), None)
        numbered = again or NumberedPassage(next_n, *_place(found))
        next_n += again is None
        new.append((numbered, text))
    return Selection(tuple(known), tuple(new))


def prompt_turns(turns: Sequence[PastTurn], new: Sequence[NumberedPassage]) -> tuple[list[Turn], Numbering]:
    """Return the history for the core, and the numbering that holds in this prompt."""
    in_order = [passage.n for turn in turns for passage, _ in turn.passages] + [passage.n for passage in new]
    numbering = Numbering(dict(enumerate(in_order, start=1)))
    history = [
        Turn(
            tuple(text or _GONE for _, text in turn.passages),
            turn.question,
            Response(
                tuple(numbering.for_core(line) for line in turn.response.working),
                numbering.for_core(turn.response.answer),
            ),
        )
        for turn in turns
    ]
    return history, numbering


def heading_line(title: str, headings: Sequence[str], chunk_text: str, start: int) -> str:
    """Return the line that stands over a window: the document, the innermost heading, and the columns of a cut table.

    `start` is the character of the chunk's text with which the window begins.
    """
    line = " > ".join((title, *headings[-1:]))
    header = table_header(chunk_text, start)
    return table_heading(line, chunk_text[slice(*header)]) if header else line


def _windowed(question: str, hit: Hit, window_chars: int) -> tuple[NumberedPassage, Passage]:
    start, end = window(question, hit.text, window_chars)
    first = hit.start + len(hit.text[:start].encode())
    last = first + len(hit.text[start:end].encode())
    found = NumberedPassage(0, hit.version_id, hit.headings, hit.start, hit.end, first, last)
    return found, Passage(heading_line(hit.title, hit.headings, hit.text, start), hit.text[start:end])


def _place(passage: NumberedPassage) -> tuple[int, tuple[str, ...], int, int, int, int]:
    return (
        passage.version_id,
        passage.headings,
        passage.start,
        passage.end,
        passage.window_start,
        passage.window_end,
    )


def _renumbered(text: str, numbers: Mapping[int, int]) -> str:
    return _MARK.sub(lambda mark: f"[{numbers.get(int(mark[1]), int(mark[1]))}]", text)
