"""Search as of a date: among the versions that were in force then, each read whole from the rows.

The indexes hold what is in force today, so nothing superseded can answer by mistake; a question about the past is rare
and reads its candidates anew, in time that grows with the corpus of that day. Both rankings are those of today's
search: words by BM25, in memory here, and vectors by brute force. A version from before chunks of the past were kept
is cut again and found by its words alone. Documents that were removed are in no past either.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.access import readable_collections
from app.database import Database
from app.errors import InvalidRequest
from app.identity import current_user
from app.records import Hit, User
from app.schema import DocumentVersion, PastChunk, StoredChunk, StoredDocument
from app.search import in_order, valid_query
from app.vectors import Vectors
from retrieval.chunking import Chunk, chunk, indexed_text
from retrieval.postings import Postings, count_terms
from retrieval.query import Query
from retrieval.retriever import fuse, lift_by_document
from retrieval.words import index_terms

_DEPTH = 100
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A chunk of a version in force at the date; `vector` is None where today's embedder has not seen it."""

    hit: Hit
    words: str
    vector: bytes | None


class PastSearch:
    """Ranks what a person may read among the texts of another day."""

    def __init__(self, database: Database, vectors: Vectors) -> None:
        self._database = database
        self._vectors = vectors

    def search(self, actor: User, query: str, k: int, as_of: str, collection: str | None = None) -> Sequence[Hit]:
        """Return the `k` best passages of the versions in force at `as_of`.

        Raises:
            InvalidRequest: the query or the date cannot be read, or `k` is not positive.
            NotFound: no such collection for this person.
        """
        query, at = valid_query(query), instant(as_of)
        if k < 1:
            raise InvalidRequest(f"k is {k}: ask for at least 1 passage.")
        sought = self._vectors.query_vector(Query(query))
        _, embedder = self._vectors.embed([])
        with self._database.read() as session:
            readable = readable_collections(session, current_user(session, actor), collection)
            candidates = _in_force(session, at, readable, embedder)
        depth = max(k, _DEPTH)
        rankings = {"keywords": _by_words(query, candidates, depth)}
        if sought is not None:
            rankings["vectors"] = _by_vector(sought, candidates, depth)
        fused = fuse(rankings)
        ranked = lift_by_document(fused, {entry.id: candidates[entry.id].hit.version_id for entry in fused})
        return sorted((replace(candidates[entry.id].hit, score=entry.score) for entry in ranked), key=in_order)[:k]


def instant(text: str) -> datetime:
    """Return the instant that a date or a time names; a date means its end, in UTC.

    Raises:
        InvalidRequest: it is neither, as ISO 8601 writes them.
    """
    try:
        if _DAY.fullmatch(text.strip()):
            return datetime.combine(date.fromisoformat(text.strip()), time.max, UTC)
        at = datetime.fromisoformat(text.strip())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"{text!r} is no date: write 2026-03-31, or 2026-03-31T12:00+01:00.") from error


def _in_force(session: Session, at: datetime, collections: Sequence[int], embedder: str | None) -> list[_Candidate]:
    versions = session.execute(
        select(DocumentVersion, StoredDocument.name)
        .join(StoredDocument, StoredDocument.id == DocumentVersion.document_id)
        .where(
            StoredDocument.collection_id.in_(collections),
            DocumentVersion.created_at <= at,
            or_(DocumentVersion.superseded_at.is_(None), DocumentVersion.superseded_at > at),
        )
        .order_by(DocumentVersion.id)
    ).all()
    found: list[_Candidate] = []
    for version, name in versions:
        rows = _chunks(session, version)
        for row in rows:
            part = Chunk(row.start, row.end, tuple(row.headings), bytes(version.text[row.start : row.end]).decode())
            found.append(_candidate(version, name, part, row.vector if row.embedder == embedder else None))
        if not rows:
            parts = chunk(bytes(version.text).decode(), version.title)
            found += [_candidate(version, name, part, None) for part in parts]
    return found


def _chunks(session: Session, version: DocumentVersion) -> Sequence[StoredChunk] | Sequence[PastChunk]:
    if version.superseded_at is None:
        today = select(StoredChunk).where(StoredChunk.version_id == version.id)
        return session.scalars(today.order_by(StoredChunk.start)).all()
    past = select(PastChunk).where(PastChunk.version_id == version.id)
    return session.scalars(past.order_by(PastChunk.start)).all()


def _candidate(version: DocumentVersion, name: str, part: Chunk, vector: bytes | None) -> _Candidate:
    hit = Hit(
        document=name,
        version=version.version,
        start=part.start,
        end=part.end,
        score=0.0,
        text=part.text,
        headings=part.headings,
        title=version.title,
        version_id=version.id,
    )
    return _Candidate(hit, indexed_text(version.title, part), bytes(vector) if vector else None)


def _by_words(query: str, candidates: Sequence[_Candidate], depth: int) -> list[tuple[int, float]]:
    entries = (
        (number, each.hit.end - each.hit.start, count_terms(index_terms(each.words)))
        for number, each in enumerate(candidates)
    )
    return Postings.build(entries).search(Query(query).terms(), depth)


def _by_vector(sought: NDArray[np.float32], candidates: Sequence[_Candidate], depth: int) -> list[tuple[int, float]]:
    numbers = [number for number, each in enumerate(candidates) if each.vector]
    if not numbers:
        return []
    data = b"".join(candidates[number].vector or b"" for number in numbers)
    scores = np.frombuffer(data, dtype=np.float16).reshape(len(numbers), -1).astype(np.float32) @ sought
    best = np.argsort(-scores, kind="stable")[:depth]
    return [(numbers[row], float(scores[row])) for row in best]
