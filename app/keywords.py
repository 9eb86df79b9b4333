"""Keyword search: terms in the database (FTS5 on SQLite, tsvector on PostgreSQL), ranked by BM25 over what may be read.

The table `keyword` is a cache of the chunk rows: terms as `retrieval.words` makes them, so that both databases find the
same. It is written in the rows' transaction, checked at start, and built again where it is missing or damaged. Who may
read what is part of the statement that finds a term's passages, and BM25's statistics are counted over those alone:
the engines' own rankings count every row, and so tell readers about passages that they may not read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy import ColumnElement, Integer, String, bindparam, column, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.database import Database
from app.generation import lock_publishing
from app.schema import DocumentVersion, StoredChunk
from retrieval.chunking import Chunk, indexed_text
from retrieval.keyword_index import Searched, best, gains
from retrieval.words import index_terms

_BATCH = 500
_MAX_POSITIONS = 255  # a tsvector keeps no more for one term

# "ascii" splits at spaces alone, once the marks inside numbers and identifiers are told: the terms are made by us.
_SQLITE_CREATE = (
    """CREATE VIRTUAL TABLE keyword USING fts5(terms, tokenize = "ascii tokenchars '.,#'")""",
    "CREATE VIRTUAL TABLE keyword_term USING fts5vocab(keyword, instance)",
)
_SQLITE_DROP = ("DROP TABLE IF EXISTS keyword_term", "DROP TABLE IF EXISTS keyword")
_POSTGRES_CREATE = (
    "CREATE TABLE keyword (chunk_id integer PRIMARY KEY, terms tsvector NOT NULL)",
    "CREATE INDEX keyword_terms ON keyword USING gin (terms)",
)
_POSTGRES_DROP = ("DROP TABLE IF EXISTS keyword",)
_SQLITE_FIND = """
    SELECT term, chunk.id AS id, count(*) AS count, chunk."end" - chunk.start AS size
    FROM keyword_term JOIN chunk ON chunk.id = doc
    WHERE term IN :sought AND chunk.collection_id IN :collections GROUP BY term, chunk.id ORDER BY term, chunk.id
"""
_POSTGRES_FIND = """
    SELECT lexeme AS term, chunk.id AS id, cardinality(positions) AS count, chunk."end" - chunk.start AS size
    FROM keyword JOIN chunk ON chunk.id = chunk_id, unnest(terms)
    WHERE terms @@ CAST(:query AS tsquery) AND lexeme IN :sought AND chunk.collection_id IN :collections
    ORDER BY lexeme COLLATE "C", chunk.id
"""


class Keywords:
    """The keyword index of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_sqlite = database.is_sqlite

    def search(
        self, session: Session, terms: Mapping[str, float], k: int, collections: Sequence[int]
    ) -> list[tuple[int, float]]:
        """Return up to `k` (chunk id, score) of these collections, best first; `terms` are weighted."""
        if not terms or not collections:
            return []
        searched = _searched(session, collections)
        found = self._find(session, list(terms), collections)
        ids = np.unique([chunk_id for rows in found.values() for chunk_id, _, _ in rows]).astype(np.int64)
        scores = np.zeros(len(ids))
        for term, rows in sorted(found.items()):
            having, counts, sizes = np.array(rows, np.int64).T
            scores[np.searchsorted(ids, having)] += gains(
                counts.astype(float), sizes.astype(float), terms[term], searched
            )
        return best(ids, scores, k)

    def add(self, session: Session, words_by_chunk: Iterable[tuple[int, str]]) -> None:
        """Index chunks under their ids, in the caller's transaction."""
        rows = [{"id": chunk_id, "terms": self._stored(index_terms(words))} for chunk_id, words in words_by_chunk]
        if not rows:
            return
        if self._is_sqlite:
            insert = "INSERT INTO keyword (rowid, terms) VALUES (:id, :terms)"
        else:
            insert = "INSERT INTO keyword (chunk_id, terms) VALUES (:id, CAST(:terms AS tsvector))"
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
            drop, create = (_SQLITE_DROP, _SQLITE_CREATE) if self._is_sqlite else (_POSTGRES_DROP, _POSTGRES_CREATE)
            for statement in (*drop, *create):
                session.execute(text(statement))
            last = 0
            while batch := indexed_texts(session, StoredChunk.id > last):
                self.add(session, batch)
                last = batch[-1][0]
        return True

    def _find(
        self, session: Session, sought: Sequence[str], collections: Sequence[int]
    ) -> dict[str, list[tuple[int, int, int]]]:
        """Return for each term the (chunk id, count, size in bytes) of these collections' passages that have it."""
        statement = (
            text(_SQLITE_FIND if self._is_sqlite else _POSTGRES_FIND)
            .bindparams(bindparam("sought", expanding=True), bindparam("collections", expanding=True))
            .columns(column("term", String), column("id", Integer), column("count", Integer), column("size", Integer))
        )
        values: dict[str, object] = {"sought": list(sought), "collections": list(collections)}
        if not self._is_sqlite:
            values["query"] = " | ".join(f"'{term}'" for term in sought)
        found: dict[str, list[tuple[int, int, int]]] = {}
        for term, chunk_id, count, size in session.execute(statement, values):
            found.setdefault(term, []).append((chunk_id, count, size))
        return found

    def _stored(self, terms: Iterable[str]) -> str:
        """Return terms as the database takes them; a tsvector has positions, of which only their number counts."""
        if self._is_sqlite:
            return " ".join(terms)
        counted = Counter(terms)
        return " ".join(
            f"'{term}':{','.join(map(str, range(1, 1 + min(count, _MAX_POSITIONS))))}"
            for term, count in counted.items()
        )

    def _is_whole(self) -> bool:
        key = "rowid" if self._is_sqlite else "chunk_id"
        try:
            with self._database.read() as session:
                indexed = session.scalar(text(f"SELECT count(*) FROM keyword JOIN chunk ON chunk.id = keyword.{key}"))
                total = session.scalar(text("SELECT count(terms) FROM keyword"))
                chunks = session.scalar(select(func.count()).select_from(StoredChunk))
                if self._is_sqlite:
                    session.execute(text("SELECT doc FROM keyword_term LIMIT 1")).all()
        except DBAPIError:  # a table is missing, of an earlier version, or cannot be read
            return False
        return bool(indexed == chunks == total)


def _searched(session: Session, collections: Sequence[int]) -> Searched:
    size = func.avg(StoredChunk.end - StoredChunk.start)
    num, mean = session.execute(select(func.count(), size).where(StoredChunk.collection_id.in_(collections))).one()
    return Searched(num, max(1.0, float(mean or 0)))


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
