"""Citations become spans of stored bytes, or are not shown."""

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from sqlalchemy.orm import Session

from app.answers import Span, readable_versions
from app.context import NumberedPassage, Numbering
from app.records import User
from reasoning_core.prompt import Passage

_MARK = re.compile(r"\s?\[(\d+)\]")


class CitedCharacters(Protocol):
    """Characters `start` to `end` of what the core read as passage `n`."""

    @property
    def n(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


def verified_spans(
    session: Session,
    actor: User,
    cited: Iterable[CitedCharacters],
    numbering: Numbering,
    shown: Mapping[int, tuple[NumberedPassage, Passage]],
) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    """Return the citations whose words are the bytes stored now, and a problem for each other one."""
    citations = list(cited)
    versions = readable_versions(session, actor, {passage.version_id for passage, _ in shown.values()})
    spans: list[Span] = []
    problems: list[str] = []
    for citation in citations:
        n = numbering.seen.get(citation.n, 0)
        if n not in shown:
            problems.append(f"the answer cites passage {n or citation.n}, which was not shown")
            continue
        passage, text = shown[n]
        words = text.text[citation.start : citation.end].encode()
        start = passage.window_start + len(text.text[: citation.start].encode())
        span = Span(n, passage.version_id, start, start + len(words))
        source = versions.get(passage.version_id)
        if not words or source is None or source.text[span.start : span.end] != words:
            problems.append(f"passage {n} does not hold the cited words any more")
        elif span not in spans:
            spans.append(span)
    return tuple(spans), tuple(problems)


def without_unverified(text: str, spans: Iterable[Span]) -> str:
    """Return an answer's text without the marks [n] that no verified citation stands behind."""
    verified = {span.n for span in spans}
    return _MARK.sub(lambda mark: mark[0] if int(mark[1]) in verified else "", text)
