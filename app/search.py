"""Hybrid search under the reader's permissions."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access import readable_collections
from app.database import Database
from app.errors import InvalidRequest, TooLarge
from app.generation import generation
from app.identity import current_user
from app.keywords import Keywords
from app.names import clean_text
from app.records import Hit, User
from app.schema import DocumentVersion, StoredChunk, StoredDocument
from app.vectors import Vectors
from retrieval.query import Query
from retrieval.retriever import Ranked, fuse, lift_by_document

MAX_QUERY_CHARS = 4000
_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, and at which index generation."""

    hits: tuple[Hit, ...]
    generation: int


class Search:
    """Fuses the keyword and the dense ranking of what a person may read."""

    def __init__(self, database: Database, keywords: Keywords, vectors: Vectors) -> None:
        self._database = database
        self._keywords = keywords
        self._vectors = vectors

    def search(self, actor: User, query: str | Query, k: int, collection: str | None = None) -> Found:
        """Return the `k` best passages.

        Raises:
            InvalidRequest: the query is empty or too long, or `k` is not positive.
            NotFound: no such collection for this person.
        """
        query = query if isinstance(query, Query) else Query(valid_query(query))
        if k < 1:
            raise InvalidRequest(f"k is {k}: ask for at least 1 passage.")
        depth = max(2 * k, _DEPTH)
        vector = self._vectors.query_vector(query)
        with self._database.read() as session:
            collections = readable_collections(session, current_user(session, actor), collection)
            rankings = {"keywords": self._keywords.search(session, query.terms(), depth, collections)}
        if vector is not None:
            rankings["vectors"], _ = self._vectors.search(vector, depth, collections)
        fused = fuse(rankings)
        with self._database.read() as session:
            # Asked again: what was taken from the person or removed since it was ranked is not there any more.
            collections = readable_collections(session, current_user(session, actor), collection)
            ranked = lift_by_document(fused, _documents(session, [entry.id for entry in fused], collections))[:k]
            return Found(tuple(_hits(session, ranked)), generation(session))


def _documents(session: Session, ids: Sequence[int], collections: Sequence[int]) -> dict[int, int]:
    """Return the version that each readable chunk is of."""
    rows = session.execute(
        select(StoredChunk.id, StoredChunk.version_id).where(
            StoredChunk.id.in_(ids), StoredChunk.collection_id.in_(collections)
        )
    )
    return {row.id: row.version_id for row in rows}


def _hits(session: Session, ranked: Sequence[Ranked]) -> list[Hit]:
    """Read ranked chunks, all of them in this session's view of the rows."""
    part = func.substr(DocumentVersion.text, StoredChunk.start + 1, StoredChunk.end - StoredChunk.start)
    rows = session.execute(
        select(StoredChunk, StoredDocument.name, DocumentVersion.version, DocumentVersion.title, part)
        .join(DocumentVersion, DocumentVersion.id == StoredChunk.version_id)
        .join(StoredDocument, StoredDocument.id == DocumentVersion.document_id)
        .where(StoredChunk.id.in_([entry.id for entry in ranked]))
    )
    found = {chunk.id: (chunk, *rest) for chunk, *rest in rows}
    hits: list[Hit] = []
    for entry in ranked:
        chunk, name, version, title, data = found[entry.id]
        hits.append(
            Hit(
                document=name,
                version=version,
                start=chunk.start,
                end=chunk.end,
                score=entry.score,
                text=bytes(data).decode(),
                headings=tuple(chunk.headings),
                title=title,
                version_id=chunk.version_id,
            )
        )
    return hits


def valid_query(query: str) -> str:
    """Return what to look for, or refuse a query that is empty or too long."""
    if len(query) > MAX_QUERY_CHARS:
        raise TooLarge(f"The query has {len(query)} characters: use at most {MAX_QUERY_CHARS}.")
    query = clean_text(query)
    if not query:
        raise InvalidRequest("The query is empty: say what to look for.")
    return query
