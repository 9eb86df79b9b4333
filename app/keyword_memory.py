"""Keyword search of a large corpus: this process's postings, kept equal to the table `keyword`.

Above `IN_MEMORY_ABOVE` chunks the database reads too many postings for each question; in memory the same BM25 over the
same passages takes a fraction. What is removed needs no work here: it is in no list of allowed chunks any more.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Integer, column, func, join, select, table, text, true
from sqlalchemy.orm import Session

from app.access import Readable
from app.database import Database
from app.generation import generation
from app.schema import StoredChunk
from retrieval.postings import Entry, Postings

IN_MEMORY_ABOVE = 20_000
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The postings at one generation, and the chunks of each collection."""

    postings: Postings
    members: Mapping[int, NDArray[np.int64]]
    generation: int


class KeywordMemory:
    """The postings of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._snapshot: _Snapshot | None = None

    def search(
        self, session: Session, terms: Mapping[str, float], k: int, readable: Readable
    ) -> list[tuple[int, float]]:
        """Return up to `k` (chunk id, score) of what is readable, best first."""
        snapshot = self._refreshed(session)
        if readable.is_narrowed:
            ids = np.array(session.scalars(select(StoredChunk.id).where(*readable.conditions)).all(), np.int64)
            return snapshot.postings.search(terms, k, ids)
        allowed = [snapshot.members[number] for number in readable.collections if number in snapshot.members]
        return snapshot.postings.search(terms, k, np.concatenate([np.zeros(0, np.int64), *allowed]))

    def _refreshed(self, session: Session) -> _Snapshot:
        current = self._snapshot
        newest = generation(session)
        if current is not None and current.generation == newest:
            return current
        with self._lock:
            before = self._snapshot.postings if self._snapshot else Postings()
            rows = session.execute(select(StoredChunk.id, StoredChunk.collection_id).order_by(StoredChunk.id)).all()
            ids, collections = np.array([tuple(row) for row in rows], np.int64).reshape(-1, 2).T
            postings = before
            new = np.setdiff1d(ids, before.ids)
            for start in range(0, len(new), _BATCH):
                postings = postings.added(self._entries(session, new[start : start + _BATCH]))
            members = {int(number): ids[collections == number] for number in np.unique(collections)}
            self._snapshot = _Snapshot(postings, members, newest)
            return self._snapshot

    def _entries(self, session: Session, ids: NDArray[np.int64]) -> Iterator[Entry]:
        """Read back what the table holds of chunks; their ids are ascending."""
        bounds = {"first": int(ids[0]), "last": int(ids[-1])}
        size = StoredChunk.end - StoredChunk.start
        within = select(StoredChunk.id, size).where(StoredChunk.id.between(bounds["first"], bounds["last"]))
        sizes = {row[0]: row[1] for row in session.execute(within)}
        wanted = set(ids.tolist())
        for chunk_id, counted in self._counted(session, bounds):
            if chunk_id in wanted:
                yield chunk_id, sizes[chunk_id], counted

    def _counted(self, session: Session, bounds: Mapping[str, int]) -> Iterator[tuple[int, Mapping[str, int]]]:
        if self._database.is_sqlite:
            stored = text("SELECT rowid, terms FROM keyword WHERE rowid BETWEEN :first AND :last")
            yield from ((row[0], Counter(row[1].split(" "))) for row in session.execute(stored, bounds))
            return
        keyword = table("keyword", column("chunk_id", Integer), column("terms"))
        lexeme = func.unnest(keyword.c.terms).table_valued(column("lexeme"), column("positions")).lateral()
        numbers = select(
            keyword.c.chunk_id,
            func.array_agg(lexeme.c.lexeme),
            func.array_agg(func.cardinality(lexeme.c.positions)),
        )
        several = (
            numbers.select_from(join(keyword, lexeme, true()))
            .where(keyword.c.chunk_id.between(bounds["first"], bounds["last"]))
            .group_by(keyword.c.chunk_id)
        )
        for chunk_id, lexemes, counts in session.execute(several):
            yield chunk_id, dict(zip(lexemes, counts, strict=True))
