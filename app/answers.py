"""Answers as they are stored and read back.

A stored answer refers to documents by version and bytes and holds none of their text. Reading it back takes the text
from the rows, under the reader's permissions of that moment: what was removed or closed is not shown any more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import readable_collections
from app.context import NumberedPassage, PastTurn, heading_line
from app.records import AnswerRecord, Citation, EvidencePassage, TokenCounts, User, WorkedLine
from app.schema import DocumentVersion, StoredDocument, StoredMessage
from reasoning_core.prompt import Passage
from reasoning_core.response import REFUSAL, Response

_GONE = "a passage of this answer was removed, or is not yours to read any more"
_WITHDRAWN = "This answer was withdrawn: a document that it cites was removed, or is not yours to read any more."


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a version that passage `n` is cited with."""

    n: int
    version_id: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The JSON of a message's answer. `new` says which passages were new in this turn."""

    text: str
    kind: str
    verified: bool
    problems: tuple[str, ...]
    working: tuple[WorkedLine, ...]
    passages: tuple[NumberedPassage, ...]
    new: tuple[int, ...]
    citations: tuple[Span, ...]
    response: Response
    core: str
    generation: int
    timings_ms: dict[str, float]
    confidence: float | None = None
    tokens: TokenCounts = field(default_factory=TokenCounts)
    turns_left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "StoredAnswer":
        response = value["response"]
        return cls(
            text=value["text"],
            kind=value["kind"],
            verified=value["verified"],
            problems=tuple(value["problems"]),
            working=tuple(WorkedLine(**line) for line in value["working"]),
            passages=tuple(NumberedPassage(**p | {"headings": tuple(p["headings"])}) for p in value["passages"]),
            new=tuple(value["new"]),
            citations=tuple(Span(**span) for span in value["citations"]),
            response=Response(tuple(response["working"]), response["answer"]),
            core=value["core"],
            generation=value["generation"],
            timings_ms=dict(value["timings_ms"]),
            confidence=value.get("confidence"),
            tokens=TokenCounts(**value.get("tokens", {})),
            turns_left_out=value.get("turns_left_out", 0),
        )


@dataclass(frozen=True, slots=True)
class ReadableVersion:
    """A version of a document that a person may read."""

    name: str
    version: int
    title: str
    text: bytes
    is_newest: bool


def readable_versions(session: Session, actor: User, ids: Iterable[int]) -> dict[int, ReadableVersion]:
    """Return those of the versions that are still there and that the person may read."""
    rows = session.execute(
        select(DocumentVersion, StoredDocument)
        .join(StoredDocument, StoredDocument.id == DocumentVersion.document_id)
        .where(
            DocumentVersion.id.in_(set(ids)),
            StoredDocument.collection_id.in_(readable_collections(session, actor)),
        )
    )
    return {
        row.id: ReadableVersion(document.name, row.version, row.title, bytes(row.text), row.version == document.version)
        for row, document in rows
    }


def answer_records(session: Session, actor: User, messages: Sequence[StoredMessage]) -> dict[int, AnswerRecord]:
    """Return the answers of the messages that have one, by message id."""
    stored = {row.id: StoredAnswer.from_json(row.answer) for row in messages if row.answer}
    versions = readable_versions(
        session, actor, (passage.version_id for answer in stored.values() for passage in answer.passages)
    )
    return {row.id: _record(row, stored[row.id], versions) for row in messages if row.id in stored}


def past_turns(session: Session, actor: User, messages: Sequence[StoredMessage]) -> list[PastTurn]:
    """Return the answered turns of a conversation as the core may see them again: without what is not in force."""
    stored = [(row, StoredAnswer.from_json(row.answer)) for row in messages if row.answer]
    versions = readable_versions(session, actor, (p.version_id for _, answer in stored for p in answer.passages))
    return [
        PastTurn(
            tuple((p, _window_text(p, versions.get(p.version_id))) for p in answer.passages if p.n in answer.new),
            row.question,
            answer.response if _is_in_force(answer, versions) else Response((), REFUSAL),
        )
        for row, answer in stored
    ]


def _is_in_force(answer: StoredAnswer, versions: Mapping[int, ReadableVersion]) -> bool:
    """Say whether an answer may be built upon: all it read may still be read, and all it cites is newest."""
    is_newest = all(span.version_id in versions and versions[span.version_id].is_newest for span in answer.citations)
    return is_newest and all(passage.version_id in versions for passage in answer.passages)


def _record(row: StoredMessage, answer: StoredAnswer, versions: Mapping[int, ReadableVersion]) -> AnswerRecord:
    gone = any(span.version_id not in versions for span in answer.citations)
    return AnswerRecord(
        id=row.id,
        conversation=row.conversation_id,
        question=row.question,
        text=_WITHDRAWN if gone else answer.text,
        kind=answer.kind,
        refused=answer.kind == "refusal",
        verified=answer.verified and not gone,
        problems=(*answer.problems, _GONE) if gone else answer.problems,
        citations=tuple(_citation(s, versions[s.version_id]) for s in answer.citations if s.version_id in versions),
        working=() if gone else answer.working,
        passages=tuple(_evidence(p, versions[p.version_id]) for p in answer.passages if p.version_id in versions),
        core=answer.core,
        index_generation=answer.generation,
        timings_ms=answer.timings_ms,
        confidence=answer.confidence,
        tokens=answer.tokens,
        turns_left_out=answer.turns_left_out,
    )


def _citation(span: Span, source: ReadableVersion) -> Citation:
    quote = source.text[span.start : span.end].decode()
    return Citation(span.n, source.name, source.version, span.start, span.end, quote)


def _evidence(passage: NumberedPassage, source: ReadableVersion) -> EvidencePassage:
    return EvidencePassage(
        n=passage.n,
        document=source.name,
        version=source.version,
        title=source.title,
        headings=passage.headings,
        start=passage.start,
        end=passage.end,
        text=source.text[passage.start : passage.end].decode(),
        window_start=passage.window_start,
        window_end=passage.window_end,
    )


def _window_text(passage: NumberedPassage, source: ReadableVersion | None) -> Passage | None:
    if source is None or not source.is_newest:
        return None
    chunk = source.text[passage.start : passage.end].decode()
    start = len(source.text[passage.start : passage.window_start].decode())
    text = source.text[passage.window_start : passage.window_end].decode()
    return Passage(heading_line(source.title, passage.headings, chunk, start), text)
