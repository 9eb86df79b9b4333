"""Keyword search inside the database: FTS5 on SQLite, tsvector with GIN on PostgreSQL.

The table `keyword` is a cache of the chunk rows. It is written in their transaction, checked at start, and built again
where it is missing or damaged. Who may read what is part of the query, never a filter over its result.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Float, Integer, bindparam, column, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.database import Database
from app.generation import lock_publishing
from app.schema import DocumentVersion, StoredChunk
from retrieval.chunking import Chunk, indexed_text
from retrieval.keyword_index import fts5_query, tsquery

_BATCH = 500

_SQLITE_CREATE = ("CREATE VIRTUAL TABLE keyword USING fts5(words, tokenize = 'porter unicode61')",)
_POSTGRES_CREATE = (
    "CREATE TABLE keyword (chunk_id integer PRIMARY KEY, words tsvector NOT NULL)",
    "CREATE INDEX keyword_words ON keyword USING gin (words)",
)
_SQLITE_SEARCH = """
    SELECT keyword.rowid AS id, -bm25(keyword) AS score FROM keyword JOIN chunk ON chunk.id = keyword.rowid
    WHERE keyword MATCH :query AND chunk.collection_id IN :collections ORDER BY score DESC, id LIMIT :k
"""
_POSTGRES_SEARCH = """
    SELECT chunk_id AS id, ts_rank_cd(words, sought, 1) AS score
    FROM keyword JOIN chunk ON chunk.id = chunk_id, to_tsquery('english', :query) AS sought
    WHERE words @@ sought AND chunk.collection_id IN :collections ORDER BY score DESC, id LIMIT :k
"""


class Keywords:
    """The keyword index of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_sqlite = database.is_sqlite

    def search(self, session: Session, query: str, k: int, collections: Sequence[int]) -> list[tuple[int, float]]:
        """Return up to `k` (chunk id, score) of these collections, best first."""
        sought = fts5_query(query) if self._is_sqlite else tsquery(query)
        if not sought or not collections:
            return []
        statement = (
            text(_SQLITE_SEARCH if self._is_sqlite else _POSTGRES_SEARCH)
            .bindparams(bindparam("collections", expanding=True))
            .columns(column("id", Integer), column("score", Float))
        )
        rows = session.execute(statement, {"query": sought, "collections": list(collections), "k": k})
        return [(row.id, row.score) for row in rows]

    def add(self, session: Session, words_by_chunk: Iterable[tuple[int, str]]) -> None:
        """Index chunks under their ids, in the caller's transaction."""
        rows = [{"id": chunk_id, "words": words.replace("\0", " ")} for chunk_id, words in words_by_chunk]
        if not rows:
            return
        if self._is_sqlite:
            insert = "INSERT INTO keyword (rowid, words) VALUES (:id, :words)"
        else:
            insert = "INSERT INTO keyword (chunk_id, words) VALUES (:id, to_tsvector('english', :words))"
        session.execute(text(insert), rows)

    def remove(self, session: Session, chunk_ids: Iterable[int]) -> None:
        rows = [{"id": chunk_id} for chunk_id in chunk_ids]
        if rows:
            key = "rowid" if self._is_sqlite else "chunk_id"
            session.execute(text(f"DELETE FROM keyword WHERE {key} = :id"), rows)

    def check(self) -> bool:
        """Build the index where it does not hold every chunk once; return whether it had to be built."""
        if self._is_whole():
            return False
        with self._database.write() as session:
            lock_publishing(session)
            session.execute(text("DROP TABLE IF EXISTS keyword"))
            for statement in _SQLITE_CREATE if self._is_sqlite else _POSTGRES_CREATE:
                session.execute(text(statement))
            last = 0
            while batch := _chunks_after(session, last):
                self.add(session, batch)
                last = batch[-1][0]
        return True

    def _is_whole(self) -> bool:
        key = "rowid" if self._is_sqlite else "chunk_id"
        try:
            with self._database.read() as session:
                indexed = session.scalar(text(f"SELECT count(*) FROM keyword JOIN chunk ON chunk.id = keyword.{key}"))
                total = session.scalar(text("SELECT count(*) FROM keyword"))
                chunks = session.scalar(select(func.count()).select_from(StoredChunk))
        except DBAPIError:  # the table is missing or cannot be read
            return False
        return bool(indexed == chunks == total)


def _chunks_after(session: Session, last: int) -> list[tuple[int, str]]:
    return [(chunk_id, words) for chunk_id, words in indexed_texts(session, StoredChunk.id > last)]


def indexed_texts(session: Session, *conditions: ColumnElement[bool]) -> list[tuple[int, str]]:
    """Return a batch of (chunk id, what both indexes see of it), in order of id, read back from the rows."""
    part = func.substr(DocumentVersion.text, StoredChunk.start + 1, StoredChunk.end - StoredChunk.start)
    rows = session.execute(
        select(StoredChunk, DocumentVersion.title, part)
        .join(DocumentVersion, DocumentVersion.id == StoredChunk.version_id)
        .where(*conditions)
        .order_by(StoredChunk.id)
        .limit(_BATCH)
    )
    return [
        (chunk.id, indexed_text(title, Chunk(chunk.start, chunk.end, tuple(chunk.headings), bytes(data).decode())))
        for chunk, title, data in rows
    ]
