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
from retrieval.retriever import fuse

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

    def search(self, actor: User, query: str, k: int, collection: str | None = None) -> Found:
        """Return the `k` best passages.

        Raises:
            InvalidRequest: the query is empty or too long, or `k` is not positive.
            NotFound: no such collection for this person.
        """
        query = valid_query(query)
        if k < 1:
            raise InvalidRequest(f"k is {k}: ask for at least 1 passage.")
        vector = self._vectors.query_vector(query)
        with self._database.read() as session:
            collections = readable_collections(session, current_user(session, actor), collection)
            by_word = self._keywords.search(session, query, max(k, _DEPTH), collections)
        rankings = {"keywords": by_word}
        if vector is not None:
            rankings["vectors"], _ = self._vectors.search(vector, max(k, _DEPTH), collections)
        ranked = fuse(rankings)[: 2 * k]
        with self._database.read() as session:
            found = _hits(session, {entry.id: entry.score for entry in ranked}, collections)
            return Found(tuple(found[:k]), generation(session))


def _hits(session: Session, scores: dict[int, float], collections: Sequence[int]) -> list[Hit]:
    """Read ranked chunks; one that was removed since it was ranked is not there any more."""
    part = func.substr(DocumentVersion.text, StoredChunk.start + 1, StoredChunk.end - StoredChunk.start)
    rows = session.execute(
        select(StoredChunk, StoredDocument.name, DocumentVersion.version, DocumentVersion.title, part)
        .join(DocumentVersion, DocumentVersion.id == StoredChunk.version_id)
        .join(StoredDocument, StoredDocument.id == DocumentVersion.document_id)
        .where(StoredChunk.id.in_(scores), StoredChunk.collection_id.in_(collections))
    )
    by_id = {
        chunk.id: Hit(
            document=name,
            version=version,
            start=chunk.start,
            end=chunk.end,
            score=scores[chunk.id],
            text=bytes(data).decode(),
            headings=tuple(chunk.headings),
            title=title,
            version_id=chunk.version_id,
        )
        for chunk, name, version, title, data in rows
    }
    return [by_id[chunk_id] for chunk_id in scores if chunk_id in by_id]


def valid_query(query: str) -> str:
    """Return what to look for, or refuse a query that is empty or too long."""
    if len(query) > MAX_QUERY_CHARS:
        raise TooLarge(f"The query has {len(query)} characters: use at most {MAX_QUERY_CHARS}.")
    query = clean_text(query)
    if not query:
        raise InvalidRequest("The query is empty: say what to look for.")
    return query
