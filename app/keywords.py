"""Keyword search: terms in the database (FTS5 on SQLite, tsvector on PostgreSQL), ranked by BM25 over what may be read.

The table `keyword` is a cache of the chunk rows: terms as `retrieval.words` makes them, so that both databases find the
same. It is written in the rows' transaction, checked at start, and built again where it is missing or damaged. Who may
read what is part of the statement that finds a term's passages, and BM25's statistics are counted over those alone:
the engines' own rankings count every row, and so tell readers about passages that they may not read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    String,
    cast,
    column,
    func,
    join,
    select,
    table,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.access import Readable
from app.database import Database
from app.generation import lock_publishing
from app.keyword_memory import IN_MEMORY_ABOVE, KeywordMemory
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


class Keywords:
    """The keyword index of one database."""

    def __init__(self, database: Database, in_memory_above: int = IN_MEMORY_ABOVE) -> None:
        self._database = database
        self._is_sqlite = database.is_sqlite
        self._memory = KeywordMemory(database)
        self._in_memory_above = in_memory_above

    def search(
        self, session: Session, terms: Mapping[str, float], k: int, readable: Readable
    ) -> list[tuple[int, float]]:
        """Return up to `k` (chunk id, score) of what is readable, best first; `terms` are weighted."""
        if not terms or not readable.collections:
            return []
        newest = session.scalar(select(func.max(StoredChunk.id))) or 0  # at once; counting would read every row
        if newest > self._in_memory_above:
            return self._memory.search(session, terms, k, readable)
        searched = _searched(session, readable)
        found = self._find(session, list(terms), readable)
        ids = np.unique([chunk_id for rows in found.values() for chunk_id, _, _ in rows]).astype(np.int64)
        scores = np.zeros(len(ids))
        for term, rows in sorted(found.items()):
            having, counts, sizes = np.array(rows, np.int64).T
            gained = gains(counts.astype(np.float64), sizes.astype(np.float64), terms[term], searched)
            scores[np.searchsorted(ids, having)] += gained
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
        self, session: Session, sought: Sequence[str], readable: Readable
    ) -> dict[str, list[tuple[int, int, int]]]:
        """Return for each term the (chunk id, count, size in bytes) of the readable passages that have it, by id."""
        size = StoredChunk.end - StoredChunk.start
        term, count, places, has_any = self._postings(sought)
        rows = session.execute(
            select(term, StoredChunk.id, count, size)
            .select_from(places)
            .where(*has_any, *readable.conditions)
            .group_by(term, StoredChunk.id, size)
            .order_by(StoredChunk.id)
        )
        found: dict[str, list[tuple[int, int, int]]] = {}
        for name, chunk_id, number, length in rows:
            found.setdefault(name, []).append((chunk_id, number, length))
        return found

    def _postings(
        self, sought: Sequence[str]
    ) -> tuple[ColumnElement[str], ColumnElement[int], FromClause, Sequence[ColumnElement[bool]]]:
        """Return a column for the term, one for how often a chunk has it, where they stand, and the terms sought."""
        if self._is_sqlite:
            instance = table("keyword_term", column("term", String), column("doc", Integer))
            places = join(instance, StoredChunk, instance.c.doc == StoredChunk.id)
            return instance.c.term, func.count(), places, [instance.c.term.in_(sought)]
        keyword = table("keyword", column("chunk_id", Integer), column("terms"))
        lexeme = func.unnest(keyword.c.terms).table_valued(column("lexeme", String), column("positions")).lateral()
        places = join(join(keyword, lexeme, true()), StoredChunk, keyword.c.chunk_id == StoredChunk.id)
        any_of = cast(" | ".join(f"'{term}'" for term in sought), TSQUERY)
        count = func.max(func.cardinality(lexeme.c.positions))
        return lexeme.c.lexeme, count, places, [keyword.c.terms.op("@@")(any_of), lexeme.c.lexeme.in_(sought)]

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


def _searched(session: Session, readable: Readable) -> Searched:
    size = func.avg(StoredChunk.end - StoredChunk.start)
    num, mean = session.execute(select(func.count(), size).where(*readable.conditions)).one()
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
